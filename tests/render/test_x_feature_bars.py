import numpy as np
import pytest

from explorer.render.x_feature_bars import (
    render_localities,
    render_mean_contributions,
    render_rebuilding,
)


def read_words(figure) -> list[str]:
    return [note.text for note in figure.layout.annotations]


def test_localities_beside_an_even_spread() -> None:
    figure = render_localities([0.5, None, 2.0], ["cap", "x-feature 2", "cap"], 15, 2)
    (bars,) = figure.data
    assert list(bars.x) == [0.5, 0, 2]
    assert list(bars.y) == [0, 1, 2]  # two of the same name keep their own rows
    assert figure.layout.yaxis.ticktext == ("cap ", "x-feature 2 ", "cap ")
    colours = bars.marker.color
    assert colours[2] != colours[0] == colours[1]
    (line,) = figure.layout.shapes
    assert line.x0 == line.x1 == pytest.approx(2.70805, abs=1e-5)
    assert read_words(figure)[:3] == ["0.50", "none", "2.00"]
    assert "ln 15 = 2.71" in read_words(figure)[3]


def test_one_part_alone_can_be_drawn() -> None:
    figure = render_localities([0.0], ["a"], 1, 0)
    assert figure.layout.xaxis.range[1] > 0


def test_rebuilding_shows_what_is_kept_and_what_is_lost() -> None:
    figure = render_rebuilding([407, 3], [0.75, 0.5], [0.25, -2])
    kept, lost = figure.data
    assert list(kept.x) == [0.25, 0]
    assert list(lost.base) == [0.25, 0]
    assert list(lost.x) == [0.5, 0.5]
    assert kept.marker.color != lost.marker.color
    assert figure.layout.yaxis.ticktext == ("Z 407 ", "Z 3 ")
    assert read_words(figure) == ["0.75 → 0.25", "0.50 → −2.00"]
    np.testing.assert_array_equal(lost.customdata, [[407, 0.75, 0.25], [3, 0.5, -2]])


def test_lengths_must_fit() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        render_localities([1.0], ["a", "b"], 15, 0)
    with pytest.raises(ValueError, match="do not fit"):
        render_rebuilding([1], [0.5, 0.4], [0.1, 0.1])
    with pytest.raises(ValueError, match="do not fit"):
        render_rebuilding([], [], [])


def test_means_and_every_photo() -> None:
    figure = render_mean_contributions([[1.0, -4.0], [3.0, 0.0]], ["cap", "cap"])
    bars, photos = figure.data
    assert list(bars.x) == [2, -2]
    assert list(bars.y) == [0, 1]  # two of the same name keep their own rows
    assert bars.marker.color[0] != bars.marker.color[1]  # one raises, one lowers
    points = set(zip(photos.x.tolist(), photos.y.tolist(), strict=True))
    assert points == {(1, 0), (3, 0), (-4, 1), (0, 1)}
    assert read_words(figure) == ["+2.00", "−2.00"]
    low, high = figure.layout.xaxis.range
    assert low < -4
    assert high > 3


@pytest.mark.parametrize(
    ("values", "message"),
    [([[1.0]], "do not fit"), ([], "do not fit"), ([[1.0, np.nan]], "finite")],
)
def test_contributions_that_do_not_fit_are_refused(values: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        render_mean_contributions(values, ["a", "b"])
