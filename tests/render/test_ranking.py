import numpy as np
import pytest

from explorer.render.ranking import render_ranking
from explorer.render.style import NETWORK_COLOUR

NAMES = ["Finch", "Thrush", "Shrike"]
SCORES, SHARES = [4.125, 0.5, -1.5], [0.971, 0.0255, 0.0035]


def test_bars_are_in_the_given_order_with_their_scores() -> None:
    (bars,) = render_ranking(SCORES, SHARES, NAMES).data
    assert bars.orientation == "h"
    assert list(bars.x) == SCORES
    assert list(bars.y) == [0, 1, 2]
    assert list(bars.text) == NAMES
    np.testing.assert_allclose(bars.customdata, [97.1, 2.55, 0.35])
    assert bars.marker.color == NETWORK_COLOUR
    first, *others = bars.marker.opacity
    assert first == 1
    assert max(others) < 1


def test_first_row_is_at_the_top_and_every_row_is_within() -> None:
    bottom, top = render_ranking(SCORES, SHARES, NAMES).layout.yaxis.range
    assert top < -0.42
    assert bottom > 2


def test_each_row_shows_name_score_and_share() -> None:
    notes = render_ranking(SCORES, SHARES, NAMES, text_colour="#123456").layout.annotations
    left = [(note.y, note.text) for note in notes if note.xanchor == "left"]
    right = [(note.y, note.text) for note in notes if note.xanchor == "right"]
    assert [text for _, text in left] == ["<b>Finch</b>", "Thrush", "Shrike"]
    assert [text for _, text in right] == ["4.12 · 97%", "0.50 · 3%", "−1.50 · < 1%"]
    assert [y for y, _ in left] == [y for y, _ in right] == pytest.approx([-0.42, 0.58, 1.58])
    assert {note.xref for note in notes} == {"paper"}


@pytest.mark.parametrize(
    ("share", "wanted"),
    [
        (0.0, "< 1%"),
        (0.01, "1%"),
        (0.994, "99%"),
        (0.9951, "> 99%"),
        (0.9999, "> 99%"),
        (1, "100%"),
    ],
)
def test_shares_are_never_rounded_to_none_or_all(share: float, wanted: str) -> None:
    number = render_ranking([1.0], [share], ["one"]).layout.annotations[1]
    assert number.text == f"1.00 · {wanted}"


@pytest.mark.parametrize(
    ("scores", "wanted"),
    [([2.0, 1.0], [0, 2]), ([-1.0, -3.0], [-3, 0]), ([2.0, -1.0], [-1, 2]), ([0.0, 0.0], [0, 1])],
)
def test_bars_start_at_zero_for_all_signs(scores: list[float], wanted: list[float]) -> None:
    figure = render_ranking(scores, [0.5, 0.5], NAMES[:2])
    assert list(figure.layout.xaxis.range) == wanted


def test_figure_grows_with_its_rows_and_takes_the_colour_of_words() -> None:
    one, three = (render_ranking(SCORES[:n], SHARES[:n], NAMES[:n]) for n in (1, 3))
    assert three.layout.height > one.layout.height + 2 * 30
    assert render_ranking([1], [1], ["a"], text_colour="#123456").layout.font.color == "#123456"


@pytest.mark.parametrize(
    ("scores", "shares", "names"),
    [
        ([], [], []),
        ([1.0, 2.0], [0.5, 0.5], ["one"]),
        ([1.0], [0.5, 0.5], ["one"]),
        ([[1.0]], [[0.5]], ["one"]),
        ([np.nan], [0.5], ["one"]),
        ([np.inf], [0.5], ["one"]),
        ([1.0], [1.01], ["one"]),
        ([1.0], [-0.01], ["one"]),
        ([1.0], [np.nan], ["one"]),
    ],
)
def test_invalid_arguments_are_refused(scores: list, shares: list, names: list[str]) -> None:
    with pytest.raises(ValueError, match=r"names|scores"):
        render_ranking(scores, shares, names)


def test_shares_can_be_left_out() -> None:
    figure = render_ranking([-1.5, 2.0], None, ["one", "two"])
    assert [note.text for note in figure.layout.annotations] == [
        "<b>one</b>",
        "−1.50",
        "two",
        "2.00",
    ]
    (bars,) = figure.data
    assert "%{customdata" not in bars.hovertemplate
    assert "score %{x:.4f}" in bars.hovertemplate
