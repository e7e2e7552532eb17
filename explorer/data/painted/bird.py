"""Painting a bird: its plumage, markings and shading."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from explorer.data.painted.anatomy import EYE, Skeleton, locate_parts, outline_body
from explorer.data.painted.canvas import (
    FloatArray,
    Grid,
    Layer,
    Points,
    blend,
    make_ellipse,
    sample,
    smooth_closed,
    smooth_open,
    to_colour,
)
from explorer.data.painted.limbs import (
    Brush,
    cast_wing_shadow,
    paint_beak,
    paint_leg,
    paint_tail,
    paint_wing,
)
from explorer.data.painted.scene import Scene
from explorer.data.painted.traits import PART_NAMES, BirdTraits

_MARKING = to_colour((58, 40, 34))

# Patches of plumage, which are clipped to the outline of the bird. In the frame of the body:
_BELLY = [(0.7, -0.02), (0.25, -0.03), (-0.2, -0.09), (-0.64, -0.1), (-0.7, -0.6), (0.7, -0.6)]
_BREAST = [(0.13, 0.16), (0.1, -0.12), (0.18, -0.31), (0.4, -0.5), (0.85, -0.2), (0.8, 0.22)]
_BREAST += [(0.4, 0.26)]
_SASH = [(0.66, -0.12), (0.46, -0.06), (0.31, 0.03), (0.2, 0.15)]
_SPOTS = [(0.52, 0.04), (0.4, 0.06), (0.28, 0.04), (0.46, -0.06), (0.34, -0.07), (0.53, -0.14)]
_SPOTS += [(0.41, -0.17), (0.28, -0.17), (0.47, -0.25), (0.34, -0.27), (0.22, -0.27)]
_SPOTS += [(0.2, -0.08)]
# In the frame of the head:
_THROAT = [(0.72, -0.12), (0.25, -0.3), (-0.12, -0.66), (-0.05, -1.12), (0.5, -1.3), (1.1, -1.1)]
_THROAT += [(1.3, -0.2)]
_FACE = [(0.95, 0.2), (0.5, 0.42), (-0.15, 0.4), (-0.62, 0.12), (-0.55, -0.42), (-0.1, -0.62)]
_FACE += [(0.35, -0.42), (0.95, -0.18)]
_CROWN = [(0.34, 0.5), (0.5, 0.9), (0.3, 1.4), (-0.7, 1.3), (-1.3, 0.6), (-1.1, 0.12)]
_CROWN += [(-0.66, 0.3), (-0.15, 0.48)]
_FOREHEAD = [(0.3, 0.48), (0.44, 0.95), (0.8, 1.3), (1.4, 0.6), (1.2, 0.08), (0.8, 0.18)]


@dataclass(frozen=True)
class PaintedBird:
    """A bird on a transparent background.

    Attributes
    ----------
    layer : Layer
        Premultiplied colours and coverage.
    parts : (15, 2) float64
        Part points (x, y), pixels, including hidden ones.
    visible : (15,) bool
        Whether the part is not hidden by the bird itself.
    """

    layer: Layer
    parts: Points
    visible: npt.NDArray[np.bool_]


def _mark_breast(brush: Brush, colour: FloatArray, patch: FloatArray) -> None:
    """Paint the pattern of the breast on `colour`, in place, within `patch`."""
    body, pattern = brush.skeleton.body, brush.traits.breast_pattern
    spots = np.array(_SPOTS) + brush.rng.uniform(-0.014, 0.014, (len(_SPOTS), 2))
    if pattern == "spotted":
        dots = [body.to_image(make_ellipse((x, y), (0.034, 0.027), 12)) for x, y in spots]
        marks = brush.grid.fill(*dots)
    elif pattern == "streaked":
        dashes = [body.to_image([(x + 0.045, y + 0.03), (x - 0.05, y - 0.035)]) for x, y in spots]
        marks = brush.stroke(dashes, 0.026)
    elif pattern == "banded":
        marks = brush.stroke([body.to_image(smooth_open(_SASH))], 0.125)
    else:
        return
    blend(colour, _MARKING, np.minimum(marks, patch))


def _paint_barbs(brush: Brush, colour: FloatArray) -> None:
    """Paint fine light and dark barbs on the plumage, in place."""
    places = brush.rng.uniform((-0.55, -0.36), (0.6, 0.75), (90, 2))
    ends = places + np.stack([np.full(90, -0.055), brush.rng.normal(-0.02, 0.012, 90)], axis=1)
    barbs = [brush.skeleton.body.to_image(barb) for barb in np.stack([places, ends], axis=1)]
    pale = np.clip(colour * np.float32(1.15) + np.float32(0.04), 0, 1)
    blend(colour, colour * np.float32(0.8), brush.stroke(barbs[::2], 0.014, 0.55))
    blend(colour, pale, brush.stroke(barbs[1::2], 0.014, 0.6))


def _paint_trunk(brush: Brush, layer: Layer) -> None:
    """Paint body and head: the colour of the back, then the patches on it."""
    skeleton = brush.skeleton
    body, head = skeleton.body, skeleton.head
    colour = brush.make_plain_picture(brush.get_colour("back"))
    belly = brush.fill_soft(body.to_image(smooth_closed(_BELLY)), 0.03)
    blend(colour, brush.get_colour("belly"), belly)
    breast = brush.fill_soft(body.to_image(smooth_closed(_BREAST)))
    blend(colour, brush.get_colour("breast"), breast)
    _mark_breast(brush, colour, breast)
    # The outline of the head does not turn, so crown and forehead shift only slightly.
    shift = 0.35 * (skeleton.turn_head([(0.0, 0.0)])[0] - head.origin)
    for trait, patch in (
        ("throat", head.to_image(smooth_closed(_THROAT))),
        ("face", skeleton.turn_head(_FACE)),
        ("crown", head.to_image(smooth_closed(_CROWN)) + shift),
        ("forehead", head.to_image(smooth_closed(_FOREHEAD)) + shift),
    ):
        blend(colour, brush.get_colour(trait), brush.fill_soft(patch))
    _paint_barbs(brush, colour)
    alpha = brush.grid.fill(outline_body(skeleton))
    colour *= brush.shade(alpha, 0.14, 0.34)
    layer.paint(np.clip(colour, 0, 1), alpha)


def _paint_eye(brush: Brush, layer: Layer) -> None:
    x, y = brush.skeleton.turn_head([EYE])[0]
    radius = 0.045 * brush.unit
    glint = (x + 0.42 * radius * brush.toward_light[0], y + 0.42 * radius * brush.toward_light[1])
    iris = to_colour((24, 18, 18)) + np.float32(brush.scene.eye_tone) * to_colour((50, 24, 6))
    for centre, scale, colour, strength in (
        ((x, y), 1.35, to_colour((226, 218, 204)), 0.55),
        ((x, y), 1.0, iris, 1.0),
        (glint, 0.36, to_colour((255, 255, 255)), 1.0),
    ):
        disc = brush.grid.fill(make_ellipse(centre, (radius * scale, radius * scale)))
        layer.paint(colour, disc * np.float32(strength))


def _find_hidden(skeleton: Skeleton, far: str) -> set[str]:
    """Return the parts that are hidden in this pose: those of the far side, and legs in flight."""
    hidden = {f"{far} eye"}
    if not skeleton.pose.wings_raised:
        hidden.add(f"{far} wing")
    if skeleton.pose.flying:
        hidden |= {"left leg", "right leg"}
    elif skeleton.pose.stride == 0:
        hidden.add(f"{far} leg")
    return hidden


def paint_bird(traits: BirdTraits, scene: Scene, skeleton: Skeleton, grid: Grid) -> PaintedBird:
    """Paint a bird on a transparent background, from the far side to the near side."""
    brush, layer = Brush(traits, scene, skeleton, grid), Layer(grid.size)
    parts, near, far = locate_parts(skeleton)
    hidden = _find_hidden(skeleton, far)
    if f"{far} wing" not in hidden:
        paint_wing(brush, layer, skeleton.far_wing, brightness=0.8)
    if f"{far} leg" not in hidden:
        paint_leg(brush, layer, 1)
    paint_tail(brush, layer)
    if f"{near} leg" not in hidden:
        paint_leg(brush, layer, 0)
    paint_beak(brush, layer)
    _paint_trunk(brush, layer)
    cast_wing_shadow(brush, layer)
    wing = paint_wing(brush, layer, skeleton.near_wing)
    _paint_eye(brush, layer)
    above_wing = {f"{near} wing", f"{near} eye"}
    visible = [
        name not in hidden and (name in above_wing or sample(wing, point) < 0.5)
        for name, point in zip(PART_NAMES, parts, strict=True)
    ]
    return PaintedBird(layer, parts, np.array(visible))
