from itertools import pairwise

import numpy as np
import pytest

from explorer.analysis.curves import (
    FRACTIONS,
    blur_image,
    compute_curve_areas,
    list_fractions,
    make_curve_images,
    name_point,
    scale_curves,
    select_hottest,
)

STEPS = np.array(FRACTIONS)


def test_the_hottest_patches_are_marked() -> None:
    heat = np.zeros((64, 64))
    heat[8:12, 40:44] = 1
    heat[20, 20] = 0.5  # a corner of its patch
    mask = select_hottest(heat, (64, 64), 1 / 256)
    assert mask.sum() == 16
    assert mask[8:12, 40:44].all()
    two = select_hottest(heat, (64, 64), 2 / 256)
    assert two[20:24, 20:24].all()
    assert two.sum() == 32


def test_a_coarse_map_is_interpolated() -> None:
    heat = np.zeros((3, 3))
    heat[1, 1] = 1
    mask = select_hottest(heat, (64, 64), 4 / 256)
    assert mask[28:36, 28:36].all()
    assert mask.sum() == 64


def test_equal_patches_are_marked_in_reading_order() -> None:
    mask = select_hottest(np.ones((16, 16)), (48, 64), 20 / 256)
    assert mask.shape == (48, 64)
    assert mask[:3].all()
    assert mask[3:6, :16].all()
    assert mask.sum() == 20 * 12


@pytest.mark.parametrize("shape", [(7, 7), (16, 16), (64, 64), (100, 60)])
def test_each_fraction_marks_its_share_and_includes_smaller_fractions(
    shape: tuple[int, int],
) -> None:
    heat = np.random.default_rng(0).random(shape)
    masks = [select_hottest(heat, (64, 64), fraction) for fraction in FRACTIONS]
    for fraction, mask in zip(FRACTIONS, masks, strict=True):
        assert mask.mean() == pytest.approx(fraction, abs=1 / 256)
    for smaller, larger in pairwise(masks):
        assert not (smaller & ~larger).any()


def test_deleting_and_inserting_change_the_same_pixels() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.normal(size=(3, 64, 64)).astype(np.float32)
    blurred = blur_image(pixels)
    deleted, inserted = make_curve_images(pixels, rng.random((16, 16)))
    assert deleted.shape == inserted.shape == (len(FRACTIONS) - 2, 3, 64, 64)
    np.testing.assert_allclose(deleted + inserted, np.broadcast_to(pixels + blurred, deleted.shape))
    changed = (deleted[0] != pixels).any(axis=0).mean()
    assert changed == pytest.approx(FRACTIONS[1], abs=1 / 256)


def test_photos_need_not_be_square() -> None:
    pixels = np.random.default_rng(0).normal(size=(3, 48, 64)).astype(np.float32)
    deleted, inserted = make_curve_images(pixels, np.ones((4, 4)))
    assert deleted.shape == inserted.shape == (len(FRACTIONS) - 2, 3, 48, 64)


def test_points_are_named_by_percentage() -> None:
    assert name_point("deletion", "score", 0.05) == "deletion_score_at_5"
    assert name_point("insertion", "own", 1.0) == "insertion_own_at_100"


def test_fractions_are_read_back_from_the_names_of_points() -> None:
    names = [name_point(way, "own", f) for way in ("deletion", "insertion") for f in (1.0, 0.2, 0)]
    assert list_fractions([*names, "deletion_own", "deletion_score_at_40"], "own") == (0, 0.2, 1)
    assert list_fractions(names, "score") == ()


@pytest.mark.parametrize("axis", [1, 2])
def test_a_blurred_photo_has_almost_no_contrast(axis: int) -> None:
    pixels = np.zeros((3, 64, 64), np.float32)
    np.moveaxis(pixels, axis, 0)[::2] = 1
    blurred = blur_image(pixels)
    assert np.ptp(blurred) < 0.05
    assert blurred.mean() == pytest.approx(0.5, abs=0.01)


def test_areas_of_straight_lines() -> None:
    curves = scale_curves(10 - 10 * STEPS, 10 * STEPS)
    assert curves is not None
    np.testing.assert_allclose(curves, [1 - STEPS, STEPS])
    assert compute_curve_areas(curves) == (pytest.approx(0.5), pytest.approx(0.5))


def test_scores_are_scaled_between_blur_and_photo() -> None:
    """Only the first patch counts: the score is 1 once it is inserted, and 0 once it is deleted."""
    first = FRACTIONS[1]
    deletion, insertion = np.full(len(STEPS), -2.0), np.full(len(STEPS), 8.0)
    deletion[0], insertion[0] = 8.0, -2.0
    curves = scale_curves(deletion, insertion)
    assert curves is not None
    down, up = compute_curve_areas(curves)
    assert down == pytest.approx(first / 2)
    assert up == pytest.approx(1 - first / 2)


@pytest.mark.parametrize("power", [1, 4, 16])
def test_areas_of_a_random_order_are_the_same(power: int) -> None:
    """Deleting a share of the patches at random is inserting the rest."""
    curves = scale_curves((1 - STEPS) ** power, STEPS**power)
    assert curves is not None
    down, up = compute_curve_areas(curves)
    assert down == pytest.approx(up)


@pytest.mark.parametrize("blur", [3.0, 4.0, 5.0, 2.0])
def test_a_score_that_hardly_drops_has_no_curve(blur: float) -> None:
    curve = np.linspace(4, blur, len(STEPS))
    assert scale_curves(curve, curve[::-1]) is None
