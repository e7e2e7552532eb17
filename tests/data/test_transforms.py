import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from explorer.data.transforms import (
    Box,
    clip_box,
    prepare_image,
    scale_box,
    scale_points,
)

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
repeatable = settings(derandomize=True, deadline=None)
sizes = st.tuples(st.integers(1, 5000), st.integers(1, 5000))


def test_constant_image_is_normalised_exactly() -> None:
    image = np.full((37, 53, 3), (10, 128, 255), dtype=np.uint8)
    ready = prepare_image(image, (16, 24), MEAN, STD)
    assert (ready.shape, ready.dtype) == ((3, 16, 24), np.float32)
    assert ready.flags.c_contiguous
    wanted = (np.array([10, 128, 255]) / 255 - MEAN) / STD
    np.testing.assert_allclose(
        ready, np.broadcast_to(wanted[:, None, None], ready.shape), atol=1e-6
    )


def test_squashing_averages_areas_and_keeps_the_axes() -> None:
    image = np.zeros((2, 4, 3), dtype=np.uint8)
    image[:, :2, 0] = [[0, 100], [40, 60]]
    image[:, 2:, 2] = 255
    ready = prepare_image(image, (1, 2), (0, 0, 0), (1, 1, 1))
    np.testing.assert_allclose(ready[:, 0] * 255, [[50, 0], [0, 0], [0, 255]], atol=1e-4)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
    ],
)
def test_other_arrays_are_refused(image: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"expected uint8 \(H, W, 3\)"):
        prepare_image(image, (2, 2), MEAN, STD)


def test_points_and_boxes_scale_by_one_factor_per_axis() -> None:
    points = np.array([[10.0, 20.0], [np.nan, np.nan]])
    scaled = scale_points(points, (100, 200), (50, 400))
    np.testing.assert_array_equal(scaled, [[20, 10], [np.nan, np.nan]])
    assert scale_box((10, 20, 30, 40), (100, 200), (50, 400)) == (20, 10, 60, 20)


def test_map_pixel_centres_follow_the_same_convention() -> None:
    # Pixel j of a map of width w is x = (j + 0.5) W / w in a photo of width W.
    centres = np.array([[j + 0.5, 0.5] for j in range(4)])
    in_photo = scale_points(centres, (1, 4), (10, 20))
    np.testing.assert_allclose(in_photo, [[2.5, 5], [7.5, 5], [12.5, 5], [17.5, 5]])


@repeatable
@given(hnp.arrays(np.float64, (4, 2), elements=st.floats(0, 5000)), sizes, sizes)
def test_scaling_there_and_back(
    points: np.ndarray, size: tuple[int, int], other: tuple[int, int]
) -> None:
    back = scale_points(scale_points(points, size, other), other, size)
    np.testing.assert_allclose(back, points, rtol=1e-12, atol=1e-12)
    box = (*points[0], *points[1])
    assert scale_box(scale_box(box, size, other), other, size) == pytest.approx(
        box, rel=1e-12, abs=1e-12
    )


@pytest.mark.parametrize(
    ("box", "clipped"),
    [
        ((1, 2, 3, 4), (1, 2, 3, 4)),
        ((-1, -2, 5, 6), (0, 0, 4, 4)),
        ((18, 8, 5, 6), (18, 8, 2, 2)),
        ((30, 3, 5, 6), (20, 3, 0, 6)),
    ],
)
def test_clip_box(box: Box, clipped: Box) -> None:
    assert clip_box(box, (10, 20)) == clipped
