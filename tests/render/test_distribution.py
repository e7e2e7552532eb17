import pytest

from explorer.render.distribution import render_distribution


def test_every_category_is_a_point_of_its_method() -> None:
    values = {"SRAE": {"Red Bird": 1.0, "Blue Bird": 2.0}, "NN": {"Red Bird": 3.0}}
    figure = render_distribution(values, "locality", paper={"SRAE": 1.9694, "Z": 1.9623})
    srae, nn, paper = figure.data
    assert list(srae.x) == [1.0, 2.0]
    assert list(srae.text) == ["Red Bird", "Blue Bird"]
    assert set(srae.y) == {"SRAE"}
    assert list(nn.x) == [3.0]
    assert (list(paper.y), list(paper.x)) == (["SRAE"], [pytest.approx(1.9694)])
    assert figure.layout.title.text == "locality"


def test_no_diamonds_without_the_papers_figures() -> None:
    figure = render_distribution({"NN": {"Red Bird": 3.0}}, "outside box")
    assert len(figure.data) == 1
