import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from explorer.render.colour_maps import COLOUR_MAPS, apply_colours
from explorer.render.heatmap import render_overlay
from explorer.render.views import (
    COLOURS,
    CONTOUR_LEVELS,
    CONTOURS,
    SPOTLIGHT,
    VIEWS,
    compute_strengths,
)

PHOTO = np.random.default_rng(0).integers(40, 200, (40, 60, 3), dtype=np.uint8)
# From nothing at the left to the hottest at the right.
RAMP = np.tile(np.linspace(0, 1, 60), (40, 1))


def draw(view: str, heat: np.ndarray = RAMP, **options: object) -> np.ndarray:
    return render_overlay(PHOTO, heat, view=view, smooth=False, **options).astype(int)


@pytest.mark.parametrize("view", [COLOURS, SPOTLIGHT, CONTOURS])
def test_without_opacity_the_photo_is_unchanged(view: str) -> None:
    assert_array_equal(draw(view, opacity=0), PHOTO)


def test_a_spotlight_darkens_what_is_cold_and_keeps_the_photos_own_colours() -> None:
    lit = draw(SPOTLIGHT, opacity=0.8)
    assert_array_equal(lit[:, -1], PHOTO[:, -1])
    assert_allclose(lit[:, 0], 0.2 * PHOTO[:, 0].astype(float), atol=0.51)
    share = lit.sum(axis=(0, 2)) / PHOTO.astype(int).sum(axis=(0, 2))
    assert (np.diff(share) > -0.02).all()
    assert_array_equal(lit, draw(SPOTLIGHT, opacity=0.8, colour_map="viridis"))


def test_contours_are_drawn_at_their_levels_and_leave_the_rest_of_the_photo() -> None:
    drawn = draw(CONTOURS, opacity=1)
    changed = np.flatnonzero((drawn[20] != PHOTO[20]).any(axis=1))
    crossings = [int(np.argmax(RAMP[20] >= level)) for level in CONTOUR_LEVELS]
    near = {column for place in crossings for column in range(place - 3, place + 4)}
    # A region that reaches the edge of the picture is closed there.
    assert set(changed.tolist()) - near <= set(range(56, 60))
    assert set(crossings) <= set(changed.tolist())
    colours = apply_colours(np.array([CONTOUR_LEVELS], np.float32), "inferno")[0]
    for place, colour in zip(crossings, colours, strict=True):
        assert_allclose(drawn[20, place], colour, atol=60)


@pytest.mark.parametrize("view", [COLOURS, SPOTLIGHT, CONTOURS])
def test_weak_maps_fade(view: str) -> None:
    cold = draw(view, np.zeros_like(RAMP))
    full, weak, none = (draw(view, strength=strength) for strength in (1.0, 0.3, 0.0))
    assert_array_equal(none, cold)
    assert 0 < np.abs(weak - cold).sum() < 0.5 * np.abs(full - cold).sum()


@pytest.mark.parametrize("view", VIEWS)
def test_a_map_without_heat_can_be_drawn(view: str) -> None:
    assert draw(view, np.zeros((3, 3))).shape == PHOTO.shape


def test_strength_is_the_root_of_the_share_of_the_largest() -> None:
    assert_allclose(compute_strengths([4.0, -1.0, 0.0, 0.04]), [1, 0.5, 0, 0.1])
    assert_array_equal(compute_strengths([0.0, 0.0]), [0, 0])
    assert_array_equal(compute_strengths([]), [])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"view": "crayon"}, "unknown view 'crayon'"),
        ({"strength": 1.5}, "strength must lie in"),
        ({"strength": -0.1}, "strength must lie in"),
    ],
)
def test_options_out_of_range_are_refused(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        render_overlay(PHOTO, RAMP, **options)


def test_every_view_works_with_every_colour_map() -> None:
    for view in VIEWS:
        for colour_map in COLOUR_MAPS:
            assert draw(view, colour_map=colour_map).max() <= 255
