import numpy as np
import pytest

from explorer.data.transforms import Box, clip_box, prepare_image

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


def test_constant_image_is_normalised_exactly() -> None:
    image = np.full((37, 53, 3), (10, 128, 255), dtype=np.uint8)
    ready = prepare_image(image, (16, 24), MEAN, STD)
    assert (ready.shape, ready.dtype) == ((3, 16, 24), np.float32)
    assert ready.flags.c_contiguous
    wanted = (np.array([10, 128, 255]) / 255 - MEAN) / STD
    np.testing.assert_allclose(
        ready, np.broadcast_to(wanted[:, None, None], ready.shape), atol=1e-6
    )


def test_resizing_averages_areas_and_keeps_the_axes() -> None:
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
