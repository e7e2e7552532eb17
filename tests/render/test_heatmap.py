import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal

from explorer.render.colour_maps import render_colour_bar
from explorer.render.heatmap import (
    compute_display_map,
    compute_shared_scale,
    normalise_map,
    render_overlay,
    upsample_map,
)

GENERATOR = np.random.default_rng(5)
PHOTO = GENERATOR.integers(0, 256, (24, 32, 3), dtype=np.uint8)


def make_spike(size=(12, 16), at=(3, 4), value=1.0):
    heat = np.zeros(size)
    heat[at] = value
    return heat


@pytest.mark.parametrize("value", [0.0, 1e-320, 2.0, 1e308])
def test_constant_map_is_all_one_or_all_zero(value):
    level = normalise_map(np.full((2, 3), value))

    assert_array_equal(level, np.full((2, 3), float(value > 0)))
    assert level.dtype == np.float32


def test_normalise_by_hand():
    assert_allclose(normalise_map([[0, 1, 4]]), [[0, 0.25, 1]])
    assert_allclose(normalise_map([[0, 1, 4]], scale_max=8), [[0, 0.125, 0.5]])
    assert_allclose(normalise_map([[0, 1, 4]], scale_max=2), [[0, 0.5, 1]])
    assert_array_equal(normalise_map([[0, 1, 4]], scale_max=0), [[0, 0, 0]])
    assert_array_equal(normalise_map([[0, 1e300]], scale_max=1e-300), [[0, 1]])


def test_percentile_limits_one_bright_pixel():
    heat = np.ones((10, 10))
    heat[0, 0] = 1000

    assert normalise_map(heat)[5, 5] == pytest.approx(0.001)
    assert normalise_map(heat, percentile=95)[5, 5] == pytest.approx(1)
    # A map that is nearly all zero falls back to its maximum.
    assert_array_equal(normalise_map(make_spike(), percentile=50), make_spike())


@given(
    arrays(np.float64, (3, 4), elements=st.floats(0, 1e300)),
    st.one_of(st.none(), st.floats(0, 1e300)),
    st.floats(1, 100),
)
def test_normalised_map_lies_in_zero_to_one_and_keeps_order(heat, scale_max, percentile):
    level = normalise_map(heat, scale_max, percentile=percentile)

    assert ((level >= 0) & (level <= 1)).all()
    order = np.argsort(heat, axis=None)
    assert (np.diff(level.ravel()[order]) >= 0).all()


def test_nearest_upsampling_shows_the_grid_itself():
    heat = np.array([[1.0, 2.0], [3.0, 4.0]])

    assert_array_equal(upsample_map(heat, (4, 6), smooth=False), np.kron(heat, np.ones((2, 3))))
    assert_array_equal(
        compute_display_map(heat, (4, 6), smooth=False, blur_sigma=0.3),
        np.kron(heat, np.ones((2, 3))),
    )


def test_bilinear_upsampling_by_hand():
    # Centres of the four pixels are at -0.25, 0.25, 0.75 and 1.25 cells; edges are repeated.
    assert_allclose(upsample_map([[0.0, 4.0]], (1, 4)), [[0, 1, 3, 4]])


def test_shrinking_averages_so_that_no_spike_is_lost():
    shrunk = upsample_map(make_spike((8, 8), (1, 1), 16.0), (2, 2))

    assert_allclose(shrunk, [[1, 0], [0, 0]])


@pytest.mark.parametrize("size", [(1, 1), (24, 32), (700, 5), (600, 800)])
def test_display_map_fits_the_picture_and_stays_non_negative(size):
    shown = compute_display_map(GENERATOR.random((14, 14)), size)

    assert shown.shape == size
    assert shown.min() >= 0
    assert shown.max() <= 1 + 1e-9


def test_blur_spreads_a_spike_and_keeps_its_mass_and_place():
    heat = make_spike((60, 80), (30, 40))
    shown = compute_display_map(heat, (60, 80), blur_sigma=0.05)

    assert shown.sum() == pytest.approx(1, rel=1e-6)
    assert np.unravel_index(shown.argmax(), shown.shape) == (30, 40)
    # A Gaussian of 0.05 × 80 = 4 pixels, whose density at its centre is 1 / (2π 4²).
    assert shown.max() == pytest.approx(1 / (2 * np.pi * 16), rel=0.02)
    assert_array_equal(compute_display_map(heat, (60, 80), blur_sigma=0), heat)


def test_shared_scale_is_that_of_the_displayed_maps():
    maps = np.stack([make_spike(), make_spike(value=3.0), np.zeros((12, 16))])
    size = (24, 32)
    expected = compute_display_map(maps[1], size).max()

    assert compute_shared_scale(maps, size) == expected
    assert expected < 3
    assert compute_shared_scale(np.zeros((2, 4, 4)), size) == 0
    weak = normalise_map(compute_display_map(maps[0], size), compute_shared_scale(maps, size))
    assert weak.max() == pytest.approx(1 / 3)


def test_zero_opacity_is_the_photo_itself():
    assert_array_equal(render_overlay(PHOTO, make_spike(), opacity=0), PHOTO)


def test_full_opacity_shows_the_hottest_colour_and_greyed_cold():
    overlay = render_overlay(PHOTO, make_spike((24, 32), (2, 3)), opacity=1, blur_sigma=0)
    hottest = render_colour_bar(size=(1, 256))[0, -1]

    assert_array_equal(overlay[2, 3], hottest)
    # Cold: no colour of the map, less colour of the photo, same lightness.
    cold, photo = overlay[10, 10].astype(float), PHOTO[10, 10].astype(float)
    assert np.ptp(cold) == pytest.approx(0.4 * np.ptp(photo), abs=1.5)
    weights = [0.299, 0.587, 0.114]
    assert cold @ weights == pytest.approx(photo @ weights, abs=1.5)


def test_zero_map_is_a_greyed_photo_on_any_scale():
    own = render_overlay(PHOTO, np.zeros((3, 3)))

    assert_array_equal(own, render_overlay(PHOTO, np.zeros((3, 3)), scale_max=7.0))
    assert_array_equal(own, render_overlay(PHOTO, np.ones((3, 3)), scale_max=0.0))


def test_scaling_a_map_matters_only_on_a_shared_scale():
    heat = GENERATOR.random((6, 8))

    assert_array_equal(render_overlay(PHOTO, heat * 8), render_overlay(PHOTO, heat))
    shared = render_overlay(PHOTO, heat, scale_max=100.0)
    assert np.abs(shared.astype(int) - render_overlay(PHOTO, heat)).max() > 50


def test_overlay_does_not_change_its_arguments():
    photo, heat = PHOTO.copy(), make_spike()
    overlay = render_overlay(photo, heat)

    assert_array_equal(photo, PHOTO)
    assert_array_equal(heat, make_spike())
    assert overlay.shape == PHOTO.shape
    assert overlay.dtype == np.uint8


def test_read_only_and_single_precision_maps_are_drawn():
    heat = GENERATOR.random((8, 6)).astype(np.float32).T
    heat.setflags(write=False)

    assert_array_equal(render_overlay(PHOTO, heat), render_overlay(PHOTO, heat.astype(float)))


@pytest.mark.parametrize(
    "heat", [[[-1.0]], [[np.nan]], [[np.inf]], [1.0, 2.0], np.empty((0, 3)), np.ones((1, 2, 2))]
)
def test_bad_maps_are_refused(heat):
    for function in (
        normalise_map,
        lambda bad: upsample_map(bad, (4, 4)),
        lambda bad: render_overlay(PHOTO, bad),
    ):
        with pytest.raises(ValueError, match="a map must"):
            function(heat)


@pytest.mark.parametrize(
    "photo",
    [PHOTO.astype(float), PHOTO[..., 0], PHOTO[..., :2], PHOTO[:0], PHOTO / np.float32(255)],
)
def test_bad_pictures_are_refused(photo):
    with pytest.raises(ValueError, match="a picture must"):
        render_overlay(photo, make_spike())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"opacity": -0.1}, "opacity"),
        ({"opacity": 1.1}, "opacity"),
        ({"opacity": float("nan")}, "opacity"),
        ({"colour_map": "jet"}, "unknown colour map 'jet'.*inferno"),
        ({"scale_max": -1.0}, "scale_max"),
        ({"scale_max": float("nan")}, "scale_max"),
        ({"blur_sigma": -0.1}, "blur_sigma"),
        ({"blur_sigma": 0.6}, "blur_sigma"),
        ({"percentile": 0.0}, "percentile"),
        ({"percentile": 101.0}, "percentile"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        render_overlay(PHOTO, make_spike(), **options)


def test_bad_sizes_and_stacks_are_refused():
    with pytest.raises(ValueError, match="size"):
        upsample_map(make_spike(), (0, 4))
    with pytest.raises(ValueError, match="K, h, w"):
        compute_shared_scale(make_spike(), (4, 4))
