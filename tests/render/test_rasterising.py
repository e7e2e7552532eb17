"""Pixels of vector drawings: squares whose areas are known."""

import io

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from explorer.render.rasterising import compute_points, rasterise, render_png

START = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="10 20 40 20"'
# 10 wide and 10 high from (20, 25); each side is a straight "curve".
SQUARE = "M20 25 C20 25 30 25 30 25 C30 25 30 35 30 35 C30 35 20 35 20 35 C20 35 20 25 20 25Z"


def draw(inside, start=START):
    return rasterise(f"{start}>{inside}</svg>", 40)


def test_points_follow_the_curve():
    points = compute_points("M0 0 C0 3 3 3 3 0")
    assert_array_equal(points[[0, -1]], [[0, 0], [3, 0]])
    assert_allclose(points[len(points) // 2], [1.5, 2.25])


def test_a_closed_path_returns_to_its_start():
    assert_array_equal(compute_points("M1 2C1 2 5 2 5 2Z")[-1], [1, 2])


def test_a_filled_square_lies_where_the_view_box_puts_it():
    picture = draw(f'<path d="{SQUARE}" fill="#ff0000"/>')
    assert picture.shape == (20, 40, 4)
    y, x = np.nonzero(picture[..., 3] == 255)
    # Pillow counts the pixels on the right and lower edge to a polygon.
    assert (x.min(), x.max(), y.min(), y.max()) == (10, 19, 5, 14)
    assert_array_equal(picture[10, 15], [255, 0, 0, 255])
    assert_array_equal(picture[2, 2], [0, 0, 0, 0])


def test_png_holds_the_picture():
    drawing = f'{START}><path d="{SQUARE}" fill="#ff0000"/></svg>'
    assert_array_equal(Image.open(io.BytesIO(render_png(drawing, 40))), rasterise(drawing, 40))


def test_what_is_inherited_from_groups_and_the_root():
    path = f'<path d="{SQUARE}"/>'
    picture = draw(f'<g fill="currentColor">{path}</g>', f'{START} color="#0000ff"')
    assert_array_equal(picture[10, 15], [0, 0, 255, 255])
    assert_array_equal(draw(f'<g fill="currentColor">{path}</g>')[10, 15], [0, 0, 0, 255])
    assert not draw(path).any()


def test_a_line_has_its_width():
    picture = draw('<path d="M20 30C20 30 40 30 40 30" stroke="#00ff00" stroke-width="4"/>')
    covered = picture[..., 3].astype(float) / 255
    assert covered[:, 20].sum() == pytest.approx(4, abs=0.3)
    # 20 long, with half a circle of radius 2 at both ends
    assert covered.sum() == pytest.approx(20 * 4 + np.pi * 4, rel=0.05)
