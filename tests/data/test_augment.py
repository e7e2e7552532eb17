import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from explorer.config import ExplorerError
from explorer.data.augment import AugmentSettings, augment_image, draw_crop

UNCHANGED = AugmentSettings(
    min_zoom=1, max_stretch=1, flip_probability=0, brightness=0, contrast=0, colour=0
)
repeatable = settings(derandomize=True, deadline=None)


def make_noise(height: int = 40, width: int = 60) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_augment_without_changes_is_the_resized_photo() -> None:
    image = make_noise(64, 96)
    variant = augment_image(image, (10, 10, 30, 30), np.random.default_rng(0), (64, 96), UNCHANGED)
    np.testing.assert_array_equal(variant, image)


def test_augment_flips_left_and_right() -> None:
    image = make_noise(64, 96)
    limits = AugmentSettings(
        min_zoom=1, max_stretch=1, flip_probability=1, brightness=0, contrast=0, colour=0
    )
    variant = augment_image(image, (10, 10, 30, 30), np.random.default_rng(0), (64, 96), limits)
    np.testing.assert_array_equal(variant, image[:, ::-1])


def test_augment_is_seeded_and_varied_and_does_not_change_the_photo() -> None:
    image = make_noise(90, 70)
    before = image.copy()
    first, again = (
        augment_image(image, (5, 5, 40, 60), np.random.default_rng(7), (32, 32)) for _ in range(2)
    )
    other = augment_image(image, (5, 5, 40, 60), np.random.default_rng(8), (32, 32))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert (first.shape, first.dtype) == ((32, 32, 3), np.uint8)
    np.testing.assert_array_equal(image, before)


def test_colour_changes_stay_within_their_limits() -> None:
    image = np.full((32, 32, 3), 100, dtype=np.uint8)
    limits = AugmentSettings(brightness=0.2, contrast=0, colour=0)
    rng = np.random.default_rng(0)
    values = [
        augment_image(image, (0, 0, 32, 32), rng, (8, 8), limits)[0, 0, 0] for _ in range(200)
    ]
    assert 80 <= min(values) < 85
    assert 115 < max(values) <= 120


@repeatable
@given(
    st.tuples(st.integers(1, 600), st.integers(1, 600)),
    st.tuples(*[st.floats(0, 1)] * 4),
    st.floats(0, 1),
    st.integers(0, 2**32),
)
def test_every_crop_keeps_the_wanted_part_of_the_box(
    size: tuple[int, int], corner: tuple[float, ...], fraction: float, seed: int
) -> None:
    height, width = size
    x, y = corner[0] * width, corner[1] * height
    box = (x, y, corner[2] * (width - x), corner[3] * (height - y))
    limits = AugmentSettings(min_zoom=0.2, max_stretch=2, min_box_fraction=fraction)
    top, bottom, left, right = draw_crop(size, box, np.random.default_rng(seed), limits)
    assert 0 <= top < bottom <= height
    assert 0 <= left < right <= width
    across = max(0, min(right, x + box[2]) - max(left, x))
    down = max(0, min(bottom, y + box[3]) - max(top, y))
    assert across * down >= fraction * box[2] * box[3] - 1e-6


def test_crops_zoom_in() -> None:
    rng = np.random.default_rng(0)
    crops = [draw_crop((200, 200), (80, 80, 40, 40), rng) for _ in range(300)]
    widths = [right - left for _, _, left, right in crops]
    assert min(widths) < 110
    assert max(widths) > 190
    assert len({left for _, _, left, _ in crops}) > 20


@pytest.mark.parametrize(
    "wrong",
    [{"min_zoom": 0}, {"max_stretch": 0.5}, {"colour": 1}, {"min_box_fraction": float("nan")}],
)
def test_settings_out_of_range_are_named(wrong: dict[str, float]) -> None:
    with pytest.raises(ExplorerError, match=f"setting {next(iter(wrong))} = .* out of range"):
        AugmentSettings(**wrong)
