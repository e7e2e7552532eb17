"""The blurred backdrops behind the painted birds."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import cv2
import numpy as np

from explorer.data.painted.canvas import (
    FloatArray,
    Grid,
    blend,
    smooth_open,
    soften,
    to_colour,
)
from explorer.data.painted.scene import Backdrop, Scene
from explorer.data.painted.traits import Rgb

Rng: TypeAlias = np.random.Generator
_BACKDROP_STREAM = 1


def _blur(rgb: FloatArray, sigma: float) -> FloatArray:
    """Blur an (H, W, 3) picture by `sigma` pixels, with mirrored borders."""
    blurred = cv2.GaussianBlur(rgb, (0, 0), sigma, borderType=cv2.BORDER_REFLECT)
    return blurred.astype(np.float32, copy=False)


def _paint_washes(rng: Rng, size: int, colours: Sequence[Rgb], cells: int = 5) -> FloatArray:
    """Paint a smooth random mixture of colours."""
    weights = rng.dirichlet(np.full(len(colours), 0.7), (cells, cells))
    coarse = (weights @ np.array(colours) / 255).astype(np.float32)
    washes: FloatArray = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)
    return np.clip(_blur(washes, size / cells / 2.5), 0, 1)


def _paint_gradient(size: int, top: Rgb, bottom: Rgb) -> FloatArray:
    ramp = np.linspace(0, 1, size, dtype=np.float32)[:, None, None]
    rows = to_colour(top) * (1 - ramp) + to_colour(bottom) * ramp
    return np.repeat(rows, size, axis=1).astype(np.float32)


def _scatter_discs(
    rgb: FloatArray,
    rng: Rng,
    *,
    count: int,
    radius: tuple[float, float],
    colours: Sequence[Rgb],
    alpha: float,
    blur: float,
    height: tuple[float, float] = (0.0, 1.0),
) -> None:
    """Paint random blurred discs on `rgb`, in place; lengths are fractions of its side."""
    size = len(rgb)
    overlay = rgb.copy()
    for _ in range(count):
        x, y = rng.uniform(0, size), rng.uniform(*height) * size
        colour = to_colour(colours[int(rng.integers(len(colours)))]) * rng.uniform(0.85, 1.12)
        centre = (round(x * 16), round(y * 16))
        radius_16 = round(rng.uniform(*radius) * size * 16)
        cv2.circle(overlay, centre, radius_16, colour.tolist(), -1, cv2.LINE_8, 4)
    rgb += np.float32(alpha) * (_blur(overlay, max(0.4, blur * size)) - rgb)


def scatter_blades(
    rgb: FloatArray,
    rng: Rng,
    grid: Grid,
    *,
    count: int,
    colours: Sequence[Rgb],
    lengths: tuple[float, float],
    blur: float,
    base: float = 1.02,
) -> None:
    """Paint random blades of grass on a picture, in place, one layer for each colour.

    Parameters
    ----------
    rgb : (H, W, 3) float32, 0 to 1
        The picture.
    rng : numpy.random.Generator
        Random generator.
    grid : Grid
        Size of the picture.
    count : int
        Number of blades of each colour.
    colours : sequence of Rgb
        Colours of the blades.
    lengths : (float, float)
        Minimum and maximum length, as fractions of the picture's side.
    blur, base : float
        Blur, and distance of the roots from the top of the picture, in the same unit.
    """
    for colour in colours:
        blades = []
        for _ in range(count):
            x, foot = rng.uniform(-0.05, 1.05), base + rng.uniform(0, 0.03)
            length, half = rng.uniform(*lengths), rng.uniform(0.006, 0.014)
            lean = rng.normal(0, 0.36) * length
            middle = foot - length / 2
            rise = [(x - half, foot), (x + lean * 0.4, middle), (x + lean, foot - length)]
            fall = [(x + lean * 0.4 + 1.6 * half, middle), (x + half, foot)]
            blades.append(np.array(rise + fall) * grid.size)
        cover = soften(grid.fill(*blades), blur * grid.size) * np.float32(0.85)
        blend(rgb, to_colour(colour), cover)


def _paint_foliage(rng: Rng, grid: Grid) -> FloatArray:
    greens = [(46, 74, 38), (94, 128, 62), (150, 172, 98), (66, 98, 70), (196, 206, 150)]
    lights = [(214, 222, 166), (240, 238, 200)]
    rgb = _paint_washes(rng, grid.size, greens)
    _scatter_discs(rgb, rng, count=16, radius=(0.05, 0.13), colours=greens, alpha=0.45, blur=0.03)
    _scatter_discs(rgb, rng, count=9, radius=(0.03, 0.07), colours=lights, alpha=0.38, blur=0.012)
    return rgb


def _paint_autumn(rng: Rng, grid: Grid) -> FloatArray:
    leaves = [(122, 74, 40), (190, 122, 52), (214, 168, 84), (96, 88, 52), (150, 66, 44)]
    lights = [(246, 214, 140), (250, 230, 184)]
    rgb = _paint_washes(rng, grid.size, leaves)
    _scatter_discs(rgb, rng, count=18, radius=(0.04, 0.11), colours=leaves, alpha=0.42, blur=0.025)
    _scatter_discs(rgb, rng, count=8, radius=(0.03, 0.06), colours=lights, alpha=0.36, blur=0.012)
    return rgb


def _paint_sky(rng: Rng, grid: Grid) -> FloatArray:
    clouds, trees = [(252, 252, 252)], [(104, 134, 104), (130, 152, 110)]
    rgb = _paint_gradient(grid.size, (112, 164, 214), (214, 230, 238))
    _scatter_discs(rgb, rng, count=11, radius=(0.05, 0.16), colours=clouds, alpha=0.7, blur=0.06)
    _paint_horizon(rgb, rng, trees)
    return rgb


def _paint_dusk(rng: Rng, grid: Grid) -> FloatArray:
    glows, trees = [(250, 214, 178), (226, 160, 160)], [(80, 66, 86), (98, 76, 88)]
    rgb = _paint_gradient(grid.size, (118, 104, 150), (248, 196, 150))
    _scatter_discs(rgb, rng, count=10, radius=(0.05, 0.13), colours=glows, alpha=0.5, blur=0.06)
    _paint_horizon(rgb, rng, trees)
    return rgb


def _paint_horizon(rgb: FloatArray, rng: Rng, trees: Sequence[Rgb]) -> None:
    """Paint distant treetops along the bottom of the picture, in place."""
    _scatter_discs(
        rgb,
        rng,
        count=13,
        radius=(0.05, 0.11),
        colours=trees,
        alpha=0.78,
        blur=0.03,
        height=(0.94, 1.09),
    )


def _paint_meadow(rng: Rng, grid: Grid) -> FloatArray:
    hazes = [(170, 188, 122), (224, 224, 176)]
    flowers = [(250, 240, 214), (214, 130, 160), (240, 200, 80)]
    grasses = [(96, 124, 60), (140, 160, 78)]
    rgb = _paint_gradient(grid.size, (204, 218, 196), (138, 158, 82))
    _scatter_discs(rgb, rng, count=12, radius=(0.05, 0.14), colours=hazes, alpha=0.5, blur=0.04)
    _scatter_discs(
        rgb,
        rng,
        count=9,
        radius=(0.015, 0.03),
        colours=flowers,
        alpha=0.7,
        blur=0.01,
        height=(0.6, 1.0),
    )
    scatter_blades(rgb, rng, grid, count=16, colours=grasses, lengths=(0.12, 0.4), blur=0.008)
    return rgb


def _paint_water(rng: Rng, grid: Grid) -> FloatArray:
    size, bank = grid.size, [(92, 118, 92), (120, 140, 106)]
    rgb = _paint_gradient(size, (152, 182, 188), (74, 116, 132))
    _scatter_discs(
        rgb,
        rng,
        count=12,
        radius=(0.06, 0.13),
        colours=bank,
        alpha=0.75,
        blur=0.035,
        height=(-0.08, 0.12),
    )
    ripples = []
    for _ in range(26):
        y = rng.uniform(0.32, 1.0) ** 0.8
        x, half, sag = rng.uniform(0, 1), rng.uniform(0.05, 0.2) * y, rng.normal(0, 0.006)
        line = [(x - half, y), (x - half / 3, y + sag), (x + half / 3, y - sag), (x + half, y)]
        ripples.append(smooth_open(np.array(line) * size))
    for lines, colour in ((ripples[::2], (206, 226, 228)), (ripples[1::2], (52, 90, 108))):
        alpha = soften(grid.stroke(lines, 0.012 * size), 0.01 * size)
        blend(rgb, to_colour(colour), alpha * np.float32(0.6))
    return rgb


def _paint_blossom(rng: Rng, grid: Grid) -> FloatArray:
    pales = [(206, 196, 206), (232, 208, 214), (186, 196, 180), (160, 178, 160)]
    petals = [(250, 226, 232), (240, 188, 204), (255, 246, 244)]
    rgb = _paint_washes(rng, grid.size, pales)
    _scatter_discs(rgb, rng, count=20, radius=(0.03, 0.09), colours=petals, alpha=0.5, blur=0.025)
    _scatter_discs(rgb, rng, count=12, radius=(0.02, 0.045), colours=petals, alpha=0.55, blur=0.01)
    return rgb


_BACKDROPS: dict[Backdrop, Callable[[Rng, Grid], FloatArray]] = {
    "foliage": _paint_foliage,
    "autumn": _paint_autumn,
    "sky": _paint_sky,
    "dusk": _paint_dusk,
    "meadow": _paint_meadow,
    "water": _paint_water,
    "blossom": _paint_blossom,
}


def paint_backdrop(scene: Scene, grid: Grid) -> FloatArray:
    """Paint the backdrop of a scene, (H, W, 3) float32, 0 to 1."""
    return _BACKDROPS[scene.backdrop](scene.make_generator(_BACKDROP_STREAM), grid)
