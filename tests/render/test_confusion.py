import numpy as np
import pytest

from explorer.render.confusion import EMPTY, render_confusion

TABLE = np.array([[3, 1, 0], [0, 2, 2], [0, 0, 0]])
TOTALS = np.array([5, 4, 0])
NAMES = ["Finch", "<b>Wren of a very long name", "Thrush"]


def test_cells_hold_shares_and_numbers() -> None:
    right, wrong, _ = render_confusion(TABLE, TOTALS, NAMES, text_colour="#123456").data
    assert np.nan_to_num(right.z, nan=-1).tolist() == [[0.6, -1, -1], [-1, 0.5, -1], [-1, -1, 0]]
    assert np.nan_to_num(wrong.z, nan=-1).tolist() == [[-1, 0.2, -1], [-1, -1, 0.5], [-1, -1, -1]]
    assert (right.zmax, wrong.zmax) == (1, 0.5)
    assert right.text.tolist() == [["3", "", ""], ["", "2", ""], ["", "", ""]]
    assert wrong.text[0][1] == "1"
    assert right.colorscale[1][1] != wrong.colorscale[1][1]


def test_every_cell_with_photos_can_be_clicked() -> None:
    points = render_confusion(TABLE, TOTALS, NAMES).data[2]
    assert points.customdata == (0, 1, EMPTY, EMPTY, 4, 5, EMPTY, EMPTY, EMPTY)
    # One in the middle of every cell, so that none belongs to a neighbour.
    assert list(zip(points.y, points.x, strict=True)) == [(n // 3, n % 3) for n in range(9)]
    assert points.text[0] == "Finch, named correctly: 3 of 5"
    assert points.text[1] == "Finch<br>taken for &lt;b&gt;Wren of a very long name: 1 of 5"


def test_names_are_short_and_escaped() -> None:
    figure = render_confusion(TABLE, TOTALS, NAMES)
    assert figure.layout.xaxis.ticktext == figure.layout.yaxis.ticktext
    assert figure.layout.xaxis.ticktext[1] == "&lt;b&gt;Wren of a very l…"
    assert figure.layout.yaxis.range == (2.5, -0.5), "the first category is on top"


def test_without_mistakes() -> None:
    figure = render_confusion(np.eye(5, dtype=int), np.ones(5, int), ["x"] * 5)
    assert figure.data[1].zmax == 1
    assert np.isnan(figure.data[1].z).all()
    assert figure.layout.height > render_confusion(TABLE, TOTALS, NAMES).layout.height


@pytest.mark.parametrize(
    ("table", "totals", "names"),
    [(TABLE[:2], TOTALS, NAMES), (TABLE, TOTALS[:2], NAMES), (TABLE, TOTALS, ["one"])],
)
def test_what_does_not_fit_is_refused(table: object, totals: object, names: list[str]) -> None:
    with pytest.raises(ValueError, match="do not fit"):
        render_confusion(table, totals, names)  # type: ignore[arg-type]
