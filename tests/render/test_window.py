import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from explorer.render.heatmap import compute_display_map, render_overlay, upsample_map
from explorer.render.window import (
    WHOLE,
    Window,
    compute_share_outside,
    crop_photo,
    find_box_window,
    find_heat_window,
)

PHOTO = np.arange(20 * 40 * 3, dtype=np.uint8).reshape(20, 40, 3)


def test_a_crop_is_what_lies_between_the_edges() -> None:
    window = Window(0.25, 0.5, 0.75, 1.0)
    assert window.find_edges((20, 40)) == (10, 10, 30, 20)
    assert_array_equal(crop_photo(PHOTO, window), PHOTO[10:20, 10:30])
    assert_array_equal(crop_photo(PHOTO, WHOLE), PHOTO)
    with pytest.raises(ValueError, match="a picture must be"):
        crop_photo(PHOTO[..., 0], window)


def test_a_box_gets_a_square_with_a_margin() -> None:
    # Eight wide and four high: a square of 8 + 2 · 0.8, thus 10, around (20, 10).
    window = find_box_window((16, 8, 8, 4), (20, 40), margin=0.1)
    assert window.find_edges((20, 40)) == (15, 5, 25, 15)


@pytest.mark.parametrize(
    ("box", "edges"),
    [
        ((0, 0, 8, 4), (0, 0, 10, 10)),  # moved in from the corner
        ((34, 16, 6, 4), (32, 12, 40, 20)),
        ((5, 2, 30, 16), (2, 0, 38, 20)),  # no square fits
        ((-10, -10, 100, 100), (0, 0, 40, 20)),
        ((20, 10, 0, 0), (20, 10, 21, 11)),  # an empty box still shows a pixel
    ],
)
def test_a_window_stays_in_the_photo_and_holds_the_box(
    box: tuple[float, float, float, float], edges: tuple[int, int, int, int]
) -> None:
    assert find_box_window(box, (20, 40)).find_edges((20, 40)) == edges


def test_heat_is_found_by_its_share_and_not_by_its_amount() -> None:
    maps = np.zeros((3, 10, 10))
    maps[0, 2, 3] = 1e-9
    maps[1, 8, 8] = 1e9
    edges = find_heat_window(maps, [1, 0, 5], (10, 10), margin=0).find_edges((10, 10))
    assert edges == (3, 2, 4, 3)
    # Both count alike: a square around both places.
    edges = find_heat_window(maps, [1, 1, 0], (10, 10), margin=0).find_edges((10, 10))
    assert edges == (2, 2, 9, 9)


def test_a_trace_of_heat_far_away_does_not_widen_the_window() -> None:
    heat = np.zeros((1, 100, 100))
    heat[0, 40:60, 40:60] = 1
    heat[0, 0, 0] = heat[0, -1, -1] = 1
    left, top, right, bottom = find_heat_window(heat, [1], (100, 100)).find_edges((100, 100))
    assert 30 <= left == top <= 40
    assert 60 <= right == bottom <= 70


@pytest.mark.parametrize(
    ("maps", "weights"), [(np.zeros((2, 4, 4)), [1, 1]), (np.ones((1, 4, 4)), [0])]
)
def test_without_heat_the_whole_photo_is_shown(maps: np.ndarray, weights: list[float]) -> None:
    assert find_heat_window(maps, weights, (20, 40)) == WHOLE


def test_the_share_outside_counts_cells_by_their_area() -> None:
    heat = np.array([[1.0, 3.0], [0.0, 4.0]])
    assert compute_share_outside(heat, WHOLE) == 0
    assert compute_share_outside(heat, Window(0, 0, 0.5, 1)) == pytest.approx(7 / 8)
    # Half of the right column, and all of the left one.
    assert compute_share_outside(heat, Window(0, 0, 0.75, 1)) == pytest.approx(3.5 / 8)
    assert compute_share_outside(np.zeros((3, 3)), Window(0, 0, 0.5, 1)) == 0


@pytest.mark.parametrize("smooth", [True, False])
def test_a_window_of_a_map_is_that_part_of_the_whole(smooth: bool) -> None:
    heat = np.random.default_rng(0).random((16, 16))
    whole = compute_display_map(heat, (160, 160), smooth=smooth, blur_sigma=0)
    window = Window(0.25, 0.5, 0.75, 1.0)
    part = compute_display_map(heat, (80, 80), smooth=smooth, blur_sigma=0, window=window)
    # Places are rounded to 1/32 of a cell.
    assert_allclose(part, whole[80:160, 40:120], atol=0.04 if smooth else 0)


def test_heat_is_smoothed_as_in_the_whole_photo() -> None:
    heat = np.zeros((64, 64))
    heat[32, 32] = 1
    whole = compute_display_map(heat, (256, 256))
    part = compute_display_map(heat, (128, 128), window=Window(0.25, 0.25, 0.75, 0.75))
    assert_allclose(part, whole[64:192, 64:192], atol=0.02 * whole.max())


def test_cells_of_a_raw_grid_keep_their_edges_in_a_window() -> None:
    heat = np.array([[0.0, 1.0], [2.0, 3.0]])
    window = Window(0.25, 0.25, 1.0, 1.0)
    part = compute_display_map(heat, (6, 6), smooth=False, window=window)
    assert_array_equal(part[:2, :2], 0)
    assert_array_equal(part[:2, 2:], 1)
    assert_array_equal(part[2:, 2:], 3)
    assert_array_equal(part, upsample_map(heat, (8, 8), smooth=False)[2:, 2:])


def test_an_overlay_draws_the_window_of_the_map() -> None:
    heat = np.zeros((4, 4))
    heat[0, 0] = 1
    photo = np.full((32, 32, 3), 90, np.uint8)
    cold = render_overlay(photo, heat, window=Window(0.5, 0.5, 1, 1), scale_max=1.0)
    assert (cold == cold[0, 0]).all()
    hot = render_overlay(photo, heat, window=Window(0, 0, 0.5, 0.5), scale_max=1.0)
    assert (hot != cold).any()
