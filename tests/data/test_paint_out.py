import numpy as np
import pytest

from explorer.data.paint_out import BLUR, GREY, SURROUNDINGS, WAYS, draw_region, paint_out


def make_photo() -> np.ndarray:
    """Return a green photo with a red square in the middle."""
    photo = np.full((60, 80, 3), (20, 160, 40), np.uint8)
    photo[20:40, 30:50] = (220, 10, 10)
    return photo


def make_region() -> np.ndarray:
    region = np.zeros((60, 80), bool)
    region[18:42, 28:52] = True
    return region


@pytest.mark.parametrize("way", WAYS)
def test_only_the_region_changes(way: str) -> None:
    photo, region = make_photo(), make_region()
    changed = paint_out(photo, region, way)
    np.testing.assert_array_equal(changed[~region], photo[~region])
    assert (changed[region] != photo[region]).any()
    np.testing.assert_array_equal(photo, make_photo())


def test_surroundings_are_carried_into_the_region() -> None:
    changed = paint_out(make_photo(), make_region(), SURROUNDINGS)
    np.testing.assert_allclose(changed.reshape(-1, 3), np.tile([20, 160, 40], (4800, 1)), atol=8)


def test_surroundings_of_a_large_photo_do_not_leak_from_within_the_region() -> None:
    large = np.repeat(np.repeat(make_photo(), 12, axis=0), 12, axis=1)
    region = np.repeat(np.repeat(make_photo()[:, :, 0] == 220, 12, axis=0), 12, axis=1)
    changed = paint_out(large, region, SURROUNDINGS)
    assert changed[region][:, 0].max() < 40  # nothing red


def test_grey_is_grey_and_a_blur_keeps_the_mean() -> None:
    photo, region = make_photo(), make_region()
    assert (paint_out(photo, region, GREY)[region] == 128).all()
    blurred = paint_out(photo, np.ones((60, 80), bool), BLUR)
    assert blurred[30, 40, 0] < 220
    np.testing.assert_allclose(blurred.mean((0, 1)), photo.mean((0, 1)), atol=3)


def test_a_whole_photo_and_nothing_can_be_painted_out() -> None:
    photo = make_photo()
    everything = np.ones((60, 80), bool)
    assert (paint_out(photo, everything, SURROUNDINGS) == 128).all()
    np.testing.assert_array_equal(paint_out(photo, ~everything, GREY), photo)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        paint_out(make_photo(), np.zeros((80, 60), bool), GREY)
    with pytest.raises(ValueError, match="unknown way"):
        paint_out(make_photo(), make_region(), "black")


def test_a_region_is_what_its_outlines_enclose() -> None:
    square = np.array([(10, 5), (20, 5), (20, 15), (10, 15)], float)
    region = draw_region((40, 60), [square])
    assert region[6:14, 11:19].all()
    assert not region[:4].any()
    assert not region[17:].any()
    assert not region[:, 22:].any()
    both = draw_region((40, 60), [square, square + np.array([30, 20])])
    assert both.sum() == 2 * region.sum()
    outside = draw_region((40, 60), [square - np.array([15, 0])])
    assert outside[6:14, :4].all()
    assert not outside[:, 7:].any()
    assert not draw_region((40, 60), [square[:2], square[:0]]).any()
