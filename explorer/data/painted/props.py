"""Objects near a painted bird: the perch, and leaves, twigs and grass in front of it."""

from dataclasses import dataclass

import cv2
import numpy as np

from explorer.data.painted.backdrop import scatter_blades
from explorer.data.painted.canvas import (
    FloatArray,
    Frame,
    Grid,
    Points,
    blend,
    shade_round,
    smooth_closed,
    smooth_open,
    to_colour,
)
from explorer.data.painted.scene import Occluder, Scene

_PERCH_STREAM, _OCCLUDER_STREAM = 2, 3
_FROM_ABOVE, _FROM_THE_LEFT = (-0.26, -0.97), (-0.5, -0.87)
_LEAVES = {
    "autumn": [(196, 118, 44), (170, 76, 42), (206, 158, 62)],
    "dusk": [(84, 82, 70), (96, 76, 70)],
    "blossom": [(130, 156, 88), (236, 178, 196)],
}
_GREEN_LEAVES = [(88, 122, 52), (118, 148, 62), (70, 104, 58)]
_GRASSES = [(104, 132, 62), (146, 164, 84), (126, 148, 74)]
_STRAWS = [(176, 152, 98), (148, 130, 86), (190, 168, 120)]
_BARKS = [(112, 88, 68), (96, 86, 80), (132, 104, 80)]
_TIMBERS = [(140, 120, 98), (120, 112, 104), (152, 122, 90)]
_ROCKS = [(132, 130, 126), (116, 112, 112), (142, 130, 116)]
_EARTHS = [(124, 116, 72), (136, 112, 82), (110, 120, 66)]


@dataclass(frozen=True)
class Spot:
    """A point of a picture at which an object is painted, at the scale of the bird.

    Attributes
    ----------
    rgb : (H, W, 3) float32, 0 to 1
        The picture, which is modified.
    grid : Grid
        Size of the picture.
    scene : Scene
        Scene of the picture.
    point : (2,) float
        The point (x, y), pixels.
    unit : float
        The bird's body length, pixels.
    """

    rgb: FloatArray
    grid: Grid
    scene: Scene
    point: Points
    unit: float

    def make_frame(self, degrees: float = 0.0) -> Frame:
        """Return a frame at the point, in body lengths with y up, turned counter-clockwise."""
        upright = Frame(self.point, np.array([[self.unit, 0.0], [0.0, -self.unit]]))
        return upright.make_child((0, 0), degrees)

    @property
    def reach(self) -> float:
        """A length, in body lengths, that is longer than the diagonal of the picture."""
        return 1.5 * self.grid.size / self.unit


def _choose_colour(rng: np.random.Generator, colours: list[tuple[int, int, int]]) -> FloatArray:
    return to_colour(colours[int(rng.integers(len(colours)))])


def _choose_leaf_colour(rng: np.random.Generator, scene: Scene) -> FloatArray:
    colour = _choose_colour(rng, _LEAVES.get(scene.backdrop, _GREEN_LEAVES))
    return colour * np.float32(rng.uniform(0.9, 1.1))


def _paint_leaf(
    spot: Spot, frame: Frame, size: tuple[float, float], colour: FloatArray
) -> FloatArray:
    """Paint a leaf (length, width) along the frame's first axis; return its coverage."""
    scale = np.array([size[0], size[1] / 2])
    outline = [(-0.5, 0), (-0.25, 0.8), (0.05, 1.0), (0.32, 0.55), (0.52, 0.0)]
    outline += [(0.3, -0.6), (0.02, -1.0), (-0.28, -0.75)]
    rib = np.array([(-0.68, -0.1), (-0.4, 0.0), (0.0, 0.06), (0.5, 0.0)])
    body = spot.grid.fill(frame.to_image(smooth_closed(outline) * scale))
    rib_line = spot.grid.stroke(
        [frame.to_image(smooth_open(rib) * scale)], max(0.8, 0.025 * spot.unit)
    )
    lit = shade_round(body, 0.04 * spot.unit, _FROM_THE_LEFT, 0.25)
    blend(spot.rgb, np.clip(colour * lit, 0, 1), body)
    blend(spot.rgb, np.clip(colour * 1.25 + 0.06, 0, 1), rib_line * np.float32(0.7))
    return np.maximum(body, rib_line)


def _paint_wood(
    spot: Spot,
    rng: np.random.Generator,
    *,
    outline: Points,
    bark: FloatArray,
    frame: Frame,
    half_width: float,
) -> None:
    """Fill an outline in `frame` with wood whose grain follows the first axis."""
    wood = spot.grid.fill(frame.to_image(outline))
    grain = []
    for _ in range(22):
        x, y = rng.uniform(-spot.reach, spot.reach), rng.uniform(-3, 1) * half_width
        line = [(x, y), (x + 0.12, y + 0.012), (x + rng.uniform(0.2, 0.4), y)]
        grain.append(frame.to_image(line))
    colour = np.broadcast_to(bark, spot.rgb.shape).astype(np.float32)
    lines = spot.grid.stroke(grain, 0.018 * spot.unit)
    blend(colour, bark * np.float32(0.62), lines * np.float32(0.7))
    colour *= shade_round(wood, max(1.0, half_width * spot.unit * 0.8), _FROM_ABOVE, 0.38)
    blend(spot.rgb, np.clip(colour, 0, 1), wood)


def _outline_branch(rng: np.random.Generator, reach: float, half_width: float) -> Points:
    """Return an irregular bar along the first axis, flat at y = 0 under the feet."""
    x = np.linspace(-reach, reach, 13)
    roughness = np.clip(np.abs(x) - 0.3, 0, 1)
    middle = -half_width + roughness * rng.normal(0, 0.06, x.shape)
    thickness = half_width * rng.uniform(0.9, 1.15, x.shape)
    top = np.stack([x, np.where(roughness > 0, middle + thickness, 0.0)], axis=1)
    bottom = np.stack([x, middle - thickness], axis=1)
    return np.concatenate([smooth_open(top), smooth_open(bottom)[::-1]])


def _paint_branch(spot: Spot, rng: np.random.Generator) -> None:
    frame = spot.make_frame(spot.scene.perch_angle)
    half_width = rng.uniform(0.055, 0.085)
    outline = _outline_branch(rng, spot.reach, half_width)
    twigs, leaves = [], []
    for _ in range(int(rng.integers(1, 4))):
        start = rng.uniform(0.5, 1.1) * rng.choice([-1, 1])
        slant, length = rng.uniform(20, 70) * rng.choice([-1, 1]), rng.uniform(0.3, 0.6)
        twig = frame.make_child((start, -half_width), slant if start > 0 else 180 - slant)
        twigs.append(twig.to_image(smooth_open([(0, 0), (length / 2, 0.04), (length, 0)])))
        for along in (0.55 * length, length):
            stalk = twig.make_child((along, 0), rng.uniform(-40, 40))
            leaves.append((stalk.make_child((0.13, 0)), rng.uniform((0.2, 0.1), (0.3, 0.15))))
    bark = _choose_colour(rng, _BARKS)
    blend(spot.rgb, bark * np.float32(0.85), spot.grid.stroke(twigs, 0.04 * spot.unit))
    _paint_wood(spot, rng, outline=outline, bark=bark, frame=frame, half_width=half_width)
    colour = _choose_leaf_colour(rng, spot.scene)
    for leaf, (length, width) in leaves:
        _paint_leaf(spot, leaf, (length, width), colour * np.float32(rng.uniform(0.85, 1.15)))


def _paint_post(spot: Spot, rng: np.random.Generator) -> None:
    half_width = rng.uniform(0.2, 0.3)
    # The first axis points down, along the grain. The top is slightly above the toes.
    frame = spot.make_frame(-90 + rng.uniform(-4, 4)).make_child((-0.005, 0))
    end = spot.reach
    outline = [(0.0, -half_width), (-0.012, 0), (0.0, half_width)]
    outline += [(end, half_width * 1.06), (end, -half_width * 1.06)]
    bark = _choose_colour(rng, _TIMBERS)
    shape = np.array(outline)
    _paint_wood(spot, rng, outline=shape, bark=bark, frame=frame, half_width=half_width)
    rim = smooth_closed([(0.0, -half_width), (-0.03, 0), (0.0, half_width), (0.035, 0)])
    blend(spot.rgb, np.clip(bark * np.float32(1.18), 0, 1), spot.grid.fill(frame.to_image(rim)))


def _paint_mound(spot: Spot, rng: np.random.Generator, width: float, tone: FloatArray) -> None:
    """Paint a rock or mound of earth that extends about `width` body lengths to each side."""
    shift = rng.uniform(-0.2, 0.3)
    sides = [(-2.2 * width, -2.8), (-1.2 * width, -0.6), (-0.75 * width, -0.2), (-0.25, 0.0)]
    sides += [(0.3, 0.0), (0.65 * width + shift, -0.1), (width + shift, -0.42)]
    sides += [(1.5 * width + shift, -0.85), (2.4 * width + shift, -2.8)]
    shape = spot.grid.fill(spot.make_frame().to_image(smooth_closed(sides)))
    stain = rng.uniform(-0.14, 0.12, (9, 9)).astype(np.float32)
    side = spot.grid.size
    stained = 1 + cv2.resize(stain, (side, side), interpolation=cv2.INTER_CUBIC)
    lit = shade_round(shape, 0.16 * spot.unit, (-0.3, -0.95), 0.32)
    blend(spot.rgb, np.clip(tone * stained[..., None] * lit, 0, 1), shape)


def _paint_grass(spot: Spot, rng: np.random.Generator) -> None:
    ground = float(spot.point[1]) / spot.grid.size
    # Closer grass is longer and lower in the picture.
    for depth in (0.06, 0.13, 0.21, 0.3, 0.4):
        lengths = (0.03 + 0.1 * depth, 0.08 + 0.25 * depth)
        base = ground + depth
        scatter_blades(
            spot.rgb,
            rng,
            spot.grid,
            count=13,
            colours=_GRASSES,
            lengths=lengths,
            blur=0.002,
            base=base,
        )


def paint_perch(spot: Spot) -> None:
    """Paint the perch of the scene under the near foot, in place."""
    rng = spot.scene.make_generator(_PERCH_STREAM)
    if spot.scene.perch == "branch":
        _paint_branch(spot, rng)
    elif spot.scene.perch == "post":
        _paint_post(spot, rng)
    elif spot.scene.perch == "rock":
        _paint_mound(spot, rng, rng.uniform(0.65, 0.95), _choose_colour(rng, _ROCKS))
    elif spot.scene.perch == "ground":
        _paint_mound(spot, rng, 4.0, _choose_colour(rng, _EARTHS))
        _paint_grass(spot, rng)


def paint_occluder(spot: Spot, occluder: Occluder) -> FloatArray:
    """Paint an object that covers the point, in place.

    Returns
    -------
    (H, W) float32, 0 to 1
        Its coverage.
    """
    rng = spot.scene.make_generator(_OCCLUDER_STREAM)
    frame = spot.make_frame(occluder.angle)
    tone = np.float32(0.8 + 0.4 * occluder.tone)
    leaf_colour = _choose_leaf_colour(rng, spot.scene) * tone
    if occluder.kind == "leaf":
        return _paint_leaf(spot, frame, (occluder.length, 1.2 * occluder.width), leaf_colour)
    if occluder.kind == "blade":
        straw = spot.scene.backdrop in ("autumn", "dusk")
        grass = _choose_colour(rng, _STRAWS if straw else _GRASSES) * tone
        return _paint_blade(spot, frame, occluder, grass)
    bends = rng.uniform(-0.12, 0.12, 3)
    knots = [(-spot.reach, 0), (-1, bends[0]), (-0.4, bends[1]), (0, 0), (0.5, bends[2])]
    line = frame.to_image(smooth_open([*knots, (spot.reach, 0)]))
    cover = spot.grid.stroke([line], occluder.width * spot.unit)
    sigma = max(0.6, 0.4 * occluder.width * spot.unit)
    bark = to_colour((108, 84, 66)) * tone
    blend(spot.rgb, np.clip(bark * shade_round(cover, sigma, _FROM_THE_LEFT, 0.35), 0, 1), cover)
    for along, aside, turn in ((-1.0, bends[0], 50), (-0.8, bends[0], -55), (0.95, 0.0, 40)):
        stalk = frame.make_child((along, aside), turn)
        leaf = _paint_leaf(spot, stalk.make_child((0.15, 0)), (0.28, 0.13), leaf_colour)
        cover = np.maximum(cover, leaf)
    return cover


def _paint_blade(spot: Spot, frame: Frame, occluder: Occluder, colour: FloatArray) -> FloatArray:
    """Paint a blade of grass that starts below the picture and ends slightly above the point."""
    half, tip, root = occluder.width / 2, 0.35 + occluder.length / 2, -spot.reach
    blade = [(root, -1.2 * half), (-0.5, -1.1 * half), (0.1, -half), (tip, 0.12)]
    blade += [(0.1, half), (-0.5, 1.1 * half), (root, 1.2 * half)]
    cover = spot.grid.fill(frame.to_image(blade))
    lit = shade_round(cover, max(0.6, half * spot.unit), (-0.8, -0.6), 0.22)
    blend(spot.rgb, np.clip(colour * lit, 0, 1), cover)
    return cover
