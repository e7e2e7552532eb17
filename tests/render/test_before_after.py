import numpy as np
import pytest

from explorer.render.before_after import (
    outline_region,
    render_before_after,
    render_selectable_photo,
)
from explorer.render.style import LOWERING_COLOUR, MODULE_COLOUR, RAISING_COLOUR


def test_each_row_goes_from_before_to_after() -> None:
    figure = render_before_after([3.0, -1.0], [1.0, -0.001], ["a", "b"])
    ring, dot = figure.data
    assert (list(ring.x), list(dot.x)) == ([3.0, -1.0], [1.0, -0.001])
    assert [(line.x0, line.x1) for line in figure.layout.shapes] == [(3.0, 1.0), (-1.0, -0.001)]
    colours = [line.line.color for line in figure.layout.shapes]
    assert colours == [LOWERING_COLOUR, RAISING_COLOUR]
    assert list(figure.layout.yaxis.ticktext) == ["a<br>3.00 → 1.00", "b<br>−1.00 → 0.00"]


def test_what_stays_is_grey() -> None:
    figure = render_before_after([1.0], [1.004], ["a"])
    assert figure.layout.shapes[0].line.color == MODULE_COLOUR


@pytest.mark.parametrize(
    ("before", "after", "names"),
    [([1.0], [1.0, 2.0], ["a", "b"]), ([np.nan], [1.0], ["a"]), ([1.0], [1.0], ["a", "b"])],
)
def test_what_does_not_fit_is_refused(
    before: list[float], after: list[float], names: list[str]
) -> None:
    with pytest.raises(ValueError, match=r"fit|finite"):
        render_before_after(before, after, names)


def test_a_photo_to_draw_on_has_its_own_pixels_as_coordinates() -> None:
    figure = render_selectable_photo(b"jpeg", (300, 400))
    assert (figure.layout.xaxis.range, figure.layout.yaxis.range) == ((0, 400), (300, 0))
    assert (figure.data[0].x.max(), figure.data[0].y.max()) == (400, 300)
    assert figure.layout.dragmode == "select"


def test_an_outline_is_white_around_the_region_alone() -> None:
    image, region = np.zeros((50, 50, 3), np.uint8), np.zeros((50, 50), bool)
    region[20:30, 20:30] = True
    outlined = outline_region(image, region)
    assert (outlined[20, 20:30] == 255).all()
    assert not outlined[22:28, 22:28].any()
    assert not outlined[:18].any()
    assert not image.any()
