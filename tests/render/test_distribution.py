import pytest

from explorer.render.distribution import render_distribution

COLOURS = {"SRAE": "#0072b2", "NN": "#009e73"}
MEANS = {"SRAE": (1.5, 1.25, 2.0), "NN": (3.0, 3.0, 3.0)}


def test_every_category_is_a_point_of_its_method() -> None:
    values = {"SRAE": {"Red Bird": 1.0, "Blue Bird": 2.0}, "NN": {"Red Bird": 3.0}}
    paper = {"SRAE": 1.9694, "Z": 1.9623}
    figure = render_distribution(values, "locality", means=MEANS, colours=COLOURS, paper=paper)
    srae, nn, means, diamonds = figure.data
    assert list(srae.x) == [1.0, 2.0]
    assert list(srae.text) == ["Red Bird", "Blue Bird"]
    assert set(srae.y) == {"SRAE"}
    assert list(nn.x) == [3.0]
    assert (list(means.y), list(means.x)) == (["SRAE", "NN"], [1.5, 3.0])
    assert (list(means.error_x.array), list(means.error_x.arrayminus)) == ([0.5, 0], [0.25, 0])
    assert (list(diamonds.y), list(diamonds.x)) == (["SRAE"], [pytest.approx(1.9694)])
    assert (srae.marker.color, nn.marker.color) == ("#0072b2", "#009e73")
    assert figure.layout.title.text == "locality"


def test_a_few_points_are_larger_and_above_the_mean() -> None:
    values = {"SRAE": {"Red Bird": 1.0}, "NN": {f"Bird {n}": 3.0 for n in range(21)}}
    few, many, means = render_distribution(values, "m", means=MEANS, colours=COLOURS).data
    assert few.marker.size > many.marker.size
    assert few.zorder > (means.zorder or 0)


def test_no_diamonds_without_the_papers_figures() -> None:
    figure = render_distribution(
        {"NN": {"Red Bird": 3.0}}, "outside box", means=MEANS, colours=COLOURS
    )
    assert len(figure.data) == 2


def test_a_method_without_a_colour_is_refused() -> None:
    with pytest.raises(KeyError, match="SAE"):
        render_distribution({"SAE": {"Red Bird": 3.0}}, "locality", means=MEANS, colours=COLOURS)
