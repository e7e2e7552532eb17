"""Painting the tail, legs, beak and wings of a bird."""

import numpy as np

from explorer.data.painted.anatomy import (
    Skeleton,
    outline_beak,
    outline_tail,
    outline_wing,
)
from explorer.data.painted.canvas import (
    FloatArray,
    Frame,
    Grid,
    Layer,
    Points,
    blend,
    shade_round,
    smooth_closed,
    smooth_open,
    soften,
    to_colour,
)
from explorer.data.painted.scene import Scene
from explorer.data.painted.traits import PALETTE, BirdTraits

_FEATHER_STREAM = 4
_BAR_COLOUR = to_colour((250, 246, 232))
_BAR_WIDTH = 0.078
_PATCH_COLOUR = to_colour((240, 158, 40))
_LEG_TONES = np.array([(70, 62, 60), (150, 112, 84), (196, 134, 90)], np.float32) / 255

# In the frame of the wing; see `Skeleton`.
_FOLDED_BARS = (
    [(-0.2, 0.16), (-0.29, 0.0), (-0.22, -0.24)],
    [(-0.4, 0.16), (-0.5, -0.02), (-0.44, -0.24)],
)
_RAISED_BARS = (
    [(0.36, 0.3), (0.33, 0.05), (0.25, -0.36)],
    [(0.56, 0.3), (0.54, 0.05), (0.44, -0.36)],
)
_FOLDED_PATCH = [(-0.2, 0.06), (-0.42, 0.05), (-0.56, -0.03), (-0.46, -0.12), (-0.22, -0.1)]
_RAISED_PATCH = [(0.3, 0.1), (0.52, 0.08), (0.62, -0.06), (0.48, -0.18), (0.28, -0.14)]
_FOLDED_QUILLS = (
    [(-0.4, 0.06), (-0.38, 0.02), (-0.36, -0.02), (-0.33, -0.06), (-0.28, -0.1)],
    [(-0.93, -0.035), (-0.84, -0.07), (-0.72, -0.105), (-0.58, -0.15), (-0.4, -0.185)],
)
_RAISED_QUILLS = (
    [(0.5, 0.12), (0.46, 0.08), (0.4, 0.04), (0.3, 0.0), (0.18, -0.02), (0.04, -0.04)],
    [(0.97, 0.0), (0.87, -0.13), (0.74, -0.21), (0.56, -0.28), (0.34, -0.31), (0.14, -0.29)],
)
_FOLDED_COVERTS = [(-0.1, 0.16), (-0.16, 0.0), (-0.1, -0.22)]
_RAISED_COVERTS = [(0.12, 0.22), (0.2, 0.02), (0.08, -0.3)]


class Brush:
    """The state needed to paint a bird: its traits, skeleton and light.

    Attributes
    ----------
    traits, scene, skeleton, grid
        As passed to the constructor.
    unit : float
        Body length, pixels.
    rng : numpy.random.Generator
        Random generator for feathers. The order of draws does not depend on the traits.
    toward_light : (float, float)
        Unit vector (x, y) towards the light, y down.
    """

    def __init__(self, traits: BirdTraits, scene: Scene, skeleton: Skeleton, grid: Grid) -> None:
        self.traits, self.scene, self.skeleton, self.grid = traits, scene, skeleton, grid
        self.unit = skeleton.unit
        self.rng = scene.make_generator(_FEATHER_STREAM)
        angle = np.deg2rad(scene.light_angle)
        self.toward_light = (float(np.cos(angle)), float(-np.sin(angle)))

    def get_colour(self, trait: str) -> FloatArray:
        """Return the colour of a trait, (3,), 0 to 1, with the tint of this bird."""
        tint = np.array(self.scene.tint, np.float32)
        tinted: FloatArray = to_colour(PALETTE[getattr(self.traits, trait)]) * tint
        return np.clip(tinted, 0, 1)

    def make_plain_picture(self, colour: FloatArray) -> FloatArray:
        """Return a picture of one colour, (size, size, 3)."""
        return np.broadcast_to(colour, (self.grid.size, self.grid.size, 3)).astype(np.float32)

    def shade(self, alpha: FloatArray, width: float, strength: float) -> FloatArray:
        """Return brightness factors for a shape with edges `width` body lengths wide."""
        sigma = max(0.7, width * self.unit)
        return shade_round(alpha, sigma, self.toward_light, strength * self.scene.contrast)

    def fill_soft(self, outline: Points, blur: float = 0.022) -> FloatArray:
        """Return the coverage of a patch of plumage with a soft edge."""
        return soften(self.grid.fill(outline), blur * self.unit)

    def stroke(self, lines: list[Points], width: float, strength: float = 1.0) -> FloatArray:
        """Return the coverage of lines `width` body lengths wide, multiplied by `strength`."""
        return self.grid.stroke(lines, max(0.35, width * self.unit)) * np.float32(strength)


def _compute_coordinates(frame: Frame, size: int) -> tuple[FloatArray, FloatArray]:
    """Return the two coordinates of each pixel in `frame`, (size, size) each."""
    inverse = np.linalg.inv(frame.axes)
    x = np.arange(size) + 0.5 - frame.origin[0]
    y = np.arange(size)[:, None] + 0.5 - frame.origin[1]
    first = x * inverse[0, 0] + y * inverse[1, 0]
    second = x * inverse[0, 1] + y * inverse[1, 1]
    return first.astype(np.float32), second.astype(np.float32)


def paint_tail(brush: Brush, layer: Layer) -> None:
    """Paint the tail."""
    frame, base = brush.skeleton.tail, brush.get_colour("tail")
    alpha = brush.grid.fill(outline_tail(brush.skeleton, brush.traits.tail_shape))
    colour = brush.make_plain_picture(base)
    along, _ = _compute_coordinates(frame, brush.grid.size)
    colour *= (0.78 + 0.3 * np.clip(along / 0.35, 0, 1))[..., None]
    offsets = (-0.11, -0.055, 0.0, 0.055, 0.11)
    quills = [frame.to_image([(0.05, 0.35 * y), (0.62, y)]) for y in offsets]
    blend(colour, base * np.float32(0.62), brush.stroke(quills, 0.014, 0.75))
    colour *= brush.shade(alpha, 0.06, 0.2)
    layer.paint(np.clip(colour, 0, 1), alpha)


def paint_leg(brush: Brush, layer: Layer, side: int) -> None:
    """Paint the near (0) or far (1) leg and its toes."""
    hip, foot = brush.skeleton.hips[side], brush.skeleton.feet[side]
    place = brush.scene.leg_tone * 1.999
    darker, lighter = _LEG_TONES[int(place)], _LEG_TONES[int(place) + 1]
    colour = (darker + np.float32(place % 1) * (lighter - darker)) * np.float32(1 - 0.25 * side)
    forward = np.array([brush.skeleton.pose.facing * brush.unit, brush.unit])
    knee = 0.5 * (hip + foot) - np.array([0.035, 0.0]) * forward
    toes = [
        foot + np.array([(0.0, 0.0), (0.06, -0.01), (reach, drop)]) * forward
        for reach, drop in ((0.13, 0.03), (0.1, 0.055), (-0.07, 0.035))
    ]
    layer.paint(colour, brush.stroke([smooth_open([hip, knee, foot])], 0.034))
    layer.paint(colour * np.float32(0.92), brush.stroke(toes, 0.026))


def paint_beak(brush: Brush, layer: Layer) -> None:
    """Paint the beak, whose base is covered by the face later."""
    outline, gape = outline_beak(brush.skeleton, brush.traits.beak_shape)
    base = brush.get_colour("beak")
    colour = brush.make_plain_picture(base)
    _, across = _compute_coordinates(brush.skeleton.head, brush.grid.size)
    colour *= (1.0 + 0.28 * np.clip(across / 0.3, -1, 1))[..., None]
    blend(colour, base * np.float32(0.5), brush.stroke([gape], 0.013, 0.8))
    layer.paint(np.clip(colour, 0, 1), brush.grid.fill(outline))


def _mark_wing(brush: Brush, wing: Frame, base: FloatArray, colour: FloatArray) -> None:
    """Draw the edges of feathers and the bars on the colours of a wing, in place."""
    raised = brush.skeleton.pose.wings_raised
    roots, tips = (np.array(ends) for ends in (_RAISED_QUILLS if raised else _FOLDED_QUILLS))
    bow = 0.5 * (roots + tips) + (0.0, 0.012)
    lines = [wing.to_image(smooth_open(quill, 4)) for quill in np.stack([roots, bow, tips], axis=1)]
    blend(colour, base * np.float32(0.5), brush.stroke(lines, 0.016, 0.8))
    edge = wing.to_image(smooth_open(_RAISED_COVERTS if raised else _FOLDED_COVERTS))
    soft_edge = soften(brush.stroke([edge], 0.02), 0.012 * brush.unit)
    blend(colour, base * np.float32(0.7), soft_edge)
    if brush.traits.wing_bar == "patch":
        patch = smooth_closed(_RAISED_PATCH if raised else _FOLDED_PATCH)
        blend(colour, _PATCH_COLOUR, brush.fill_soft(wing.to_image(patch), 0.012))
        return
    count = {"none": 0, "single": 1, "double": 2}[brush.traits.wing_bar]
    bars = [
        wing.to_image(smooth_open(bar))
        for bar in (_RAISED_BARS if raised else _FOLDED_BARS)[:count]
    ]
    if bars:
        blend(colour, _BAR_COLOUR, brush.stroke(bars, _BAR_WIDTH))


def paint_wing(brush: Brush, layer: Layer, wing: Frame, brightness: float = 1.0) -> FloatArray:
    """Paint a wing, with its colours multiplied by `brightness`, and return its coverage."""
    alpha = brush.grid.fill(outline_wing(brush.skeleton, wing))
    base = brush.get_colour("wing")
    colour = brush.make_plain_picture(base)
    along, _ = _compute_coordinates(wing, brush.grid.size)
    from_root = along if brush.skeleton.pose.wings_raised else -along
    colour *= (1.14 - 0.36 * np.clip(from_root / 0.9, 0, 1))[..., None]
    _mark_wing(brush, wing, base, colour)
    colour *= brush.shade(alpha, 0.07, 0.26) * np.float32(brightness)
    layer.paint(np.clip(colour, 0, 1), alpha)
    return alpha


def cast_wing_shadow(brush: Brush, layer: Layer) -> None:
    """Darken the plumage below the near wing."""
    drop = np.array(brush.toward_light) * -0.035 * brush.unit
    shape = outline_wing(brush.skeleton, brush.skeleton.near_wing) + drop
    layer.rgb *= (1 - np.float32(0.3) * brush.fill_soft(shape, 0.03))[..., None]
