import numpy as np
import pytest

from explorer.ui.shared import pictures
from explorer.ui.shared.pictures import KEPT_SIDE, LARGE_SIDE, TILE_SIDE, fit_for_display


@pytest.mark.parametrize(
    ("size", "side", "shown"),
    [
        ((300, 400), LARGE_SIDE, (384, 512)),  # small: enlarged
        ((600, 450), LARGE_SIDE, (600, 450)),  # as it is
        ((3000, 4000), LARGE_SIDE, (525, 700)),  # large: no more than is seen
        ((3000, 4000), KEPT_SIDE, (768, 1024)),
        ((300, 400), TILE_SIDE, (156, 208)),
        ((64, 64), TILE_SIDE, (208, 208)),
        ((1, 9000), TILE_SIDE, (1, 208)),
    ],
)
def test_size_of_what_is_sent(size: tuple[int, int], side: int, shown: tuple[int, int]) -> None:
    assert pictures.compute_shown_size(size, side) == shown
    assert fit_for_display(np.zeros((*size, 3), np.uint8), side).shape == (*shown, 3)


def test_a_thumbnail_is_the_middle_square_at_twice_its_size() -> None:
    image = np.zeros((100, 300, 3), np.uint8)
    image[:, 100:200] = 200
    thumbnail = pictures.make_thumbnail(image)
    assert thumbnail.shape == (192, 192, 3)
    assert (thumbnail == 200).all()
