"""Painting a photo of a bird, with its ground truth."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from explorer.data.painted.anatomy import build_skeleton
from explorer.data.painted.backdrop import paint_backdrop
from explorer.data.painted.bird import paint_bird
from explorer.data.painted.canvas import FloatArray, Grid, Points, sample
from explorer.data.painted.props import Spot, paint_occluder, paint_perch
from explorer.data.painted.scene import Scene
from explorer.data.painted.traits import PART_NAMES, BirdTraits

_MASK_THRESHOLD = 0.25


@dataclass(frozen=True)
class PaintedPhoto:
    """A photo and its ground truth.

    Attributes
    ----------
    image : (H, W, 3) uint8
        sRGB.
    box : (4,) float
        Bounding box (x, y, width, height) of `mask`, pixels; pixel i covers i to i + 1.
    parts : (15, 2) float
        Points (x, y), pixels, in the order of `PART_NAMES`; (0, 0) if not visible.
    visible : (15,) bool
        Whether each part is visible.
    mask : (H, W) bool
        Pixels of the bird, including those hidden by an occluder.
    """

    image: npt.NDArray[np.uint8]
    box: Points
    parts: Points
    visible: npt.NDArray[np.bool_]
    mask: npt.NDArray[np.bool_] = field(repr=False)


def paint_photo(
    traits: BirdTraits, scene: Scene, size: int = 128, supersampling: int = 4
) -> PaintedPhoto:
    """Paint a photo of a bird. The result depends only on the arguments.

    If one colour or pattern is changed, only the parts of that trait change. The box and the part
    points are the same.

    Parameters
    ----------
    traits : BirdTraits
        Traits of the bird.
    scene : Scene
        Pose and surroundings of the bird.
    size : int
        Side of the photo, pixels.
    supersampling : int
        Factor by which shapes are oversampled for anti-aliasing.

    Returns
    -------
    PaintedPhoto
    """
    grid = Grid(size, supersampling)
    skeleton = build_skeleton(scene, size)
    rgb = paint_backdrop(scene, grid)
    paint_perch(Spot(rgb, grid, scene, skeleton.feet[0], skeleton.unit))
    if scene.distractor is not None:
        corner = _locate_corner(scene.distractor.part, size)
        paint_occluder(Spot(rgb, grid, scene, corner, skeleton.unit), scene.distractor)
    bird = paint_bird(traits, scene, skeleton, grid)
    bird.layer.composite_over(rgb)
    visible = bird.visible.copy()
    if scene.occluder is not None:
        target = _locate_occluded_part(scene.occluder.part, bird.parts, scene)
        spot = Spot(rgb, grid, scene, target, skeleton.unit)
        cover = paint_occluder(spot, scene.occluder)
        visible &= np.array([sample(cover, point) < 0.5 for point in bird.parts])
    visible &= ((bird.parts >= 0) & (bird.parts < size)).all(axis=1)
    mask = bird.layer.alpha >= _MASK_THRESHOLD
    return PaintedPhoto(
        image=_expose(rgb, scene),
        box=_measure_box(mask),
        parts=np.where(visible[:, None], bird.parts, 0.0),
        visible=visible,
        mask=mask,
    )


def _locate_occluded_part(part: str, parts: Points, scene: Scene) -> Points:
    side = "right" if scene.pose.facing == 1 else "left"
    name = {"near wing": f"{side} wing", "legs": f"{side} leg"}.get(part, part)
    target: Points = parts[PART_NAMES.index(name)]
    return target


def _locate_corner(name: str, size: int) -> Points:
    vertical, horizontal = name.split()
    margin = 0.13 * size
    x = margin if horizontal == "left" else size - margin
    y = margin if vertical == "top" else size - margin
    return np.array([x, y])


def _measure_box(mask: npt.NDArray[np.bool_]) -> Points:
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    x, y = columns[0], rows[0]
    return np.array([x, y, columns[-1] + 1 - x, rows[-1] + 1 - y], np.float64)


def _expose(rgb: FloatArray, scene: Scene) -> npt.NDArray[np.uint8]:
    """Apply exposure, colour temperature and a brightness gradient; convert to 8 bits."""
    size = len(rgb)
    ramp = np.linspace(-1, 1, size, dtype=np.float32)
    angle = np.deg2rad(scene.light_angle)
    toward = np.float32(np.cos(angle)) * ramp - np.float32(np.sin(angle)) * ramp[:, None]
    light = np.float32(scene.brightness) * (1 + np.float32(scene.gradient) * toward)
    warm = np.array([1 + scene.warmth, 1.0, 1 - scene.warmth], np.float32)
    # Highlights are compressed smoothly, as on film, instead of clipped.
    bright = rgb * light[..., None] * warm
    rolled = np.where(bright > 0.85, 1 - 0.15 * np.exp(-(bright - 0.85) / 0.15), bright)
    image: npt.NDArray[np.uint8] = np.clip(rolled * 255 + 0.5, 0, 255).astype(np.uint8)
    return image
