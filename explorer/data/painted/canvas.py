"""Drawing with anti-aliased shapes, smooth curves and shading."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

FloatArray: TypeAlias = npt.NDArray[np.float32]
Points: TypeAlias = npt.NDArray[np.float64]
SUBPIXEL_BITS = 4


@dataclass(frozen=True)
class Frame:
    """An affine coordinate system in the image.

    Attributes
    ----------
    origin : (2,) float
        Origin (x, y), pixels; pixel i covers i to i + 1.
    axes : (2, 2) float
        First and second axis as rows, pixels.
    """

    origin: Points
    axes: Points

    def to_image(self, points: npt.ArrayLike) -> Points:
        """Convert points in this frame, (N, 2) or (2,), to pixels."""
        mapped: Points = np.asarray(points, np.float64) @ self.axes + self.origin
        return mapped

    def make_child(
        self, origin: npt.ArrayLike, degrees: float = 0.0, scale: float = 1.0
    ) -> "Frame":
        """Return a frame with an origin in this frame, rotated counter-clockwise and scaled."""
        cosine, sine = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
        turn = np.array([[cosine, sine], [-sine, cosine]])
        return Frame(self.to_image(origin), scale * turn @ self.axes)


@dataclass(frozen=True)
class Grid:
    """Size of a picture, and the supersampling with which shapes are drawn.

    Attributes
    ----------
    size : int
        Side of the square picture, pixels.
    supersampling : int
        Factor by which shapes are oversampled for anti-aliasing.
    """

    size: int
    supersampling: int

    def fill(self, *outlines: Points) -> FloatArray:
        """Return the coverage, (size, size), 0 to 1, of the union of closed outlines in pixels."""
        window = self._open_window(outlines, 1.0)
        for outline in outlines:
            points = window.to_fine(outline)
            cv2.fillPoly(window.fine, [points], 255, cv2.LINE_8, SUBPIXEL_BITS)
        return window.average(self.size)

    def stroke(self, lines: Sequence[Points], width: float) -> FloatArray:
        """Return the coverage, (size, size), 0 to 1, of lines that are `width` pixels wide."""
        window = self._open_window(lines, 1 + width)
        ideal = width * self.supersampling
        points = [window.to_fine(line) for line in lines]
        thickness = max(1, round(ideal))
        cv2.polylines(window.fine, points, False, 255, thickness, cv2.LINE_8, SUBPIXEL_BITS)
        # Lines thinner than a subpixel are drawn one subpixel wide, but fainter.
        return window.average(self.size) * np.float32(min(1.0, ideal))

    def _open_window(self, shapes: Sequence[Points], margin: float) -> "_Window":
        """Return a supersampled window that contains the shapes."""
        points = np.concatenate(shapes)
        low = np.clip(np.floor(points.min(axis=0) - margin), 0, self.size - 1).astype(int)
        high = np.clip(np.ceil(points.max(axis=0) + margin), low + 1, self.size).astype(int)
        width, height = (high - low) * self.supersampling
        return _Window(low, self.supersampling, np.zeros((height, width), np.uint8))


@dataclass(frozen=True)
class _Window:
    """A supersampled window of the picture: `corner` (x, y) in pixels, `fine` is 0 or 255."""

    corner: npt.NDArray[np.int64]
    supersampling: int
    fine: npt.NDArray[np.uint8]

    def to_fine(self, points: Points) -> npt.NDArray[np.int32]:
        """Convert points to OpenCV's fixed-point coordinates, with integers at pixel centres."""
        fine = ((points - self.corner) * self.supersampling - 0.5) * (1 << SUBPIXEL_BITS)
        return np.rint(fine).astype(np.int32)

    def average(self, size: int) -> FloatArray:
        """Return the coverage, (size, size), 0 to 1, over the whole picture."""
        height, width = (side // self.supersampling for side in self.fine.shape)
        small = cv2.resize(self.fine, (width, height), interpolation=cv2.INTER_AREA)
        alpha: FloatArray = np.zeros((size, size), np.float32)
        x, y = self.corner
        alpha[y : y + height, x : x + width] = small * np.float32(1 / 255)
        return alpha


def _curve(padded: Points, samples: int) -> Points:
    """Interpolate padded[1] to padded[-2] with Catmull-Rom segments."""
    t = np.linspace(0, 1, samples, endpoint=False)[:, None, None]
    before, start, end, after = padded[:-3], padded[1:-2], padded[2:-1], padded[3:]
    linear = end - before
    square = 2 * before - 5 * start + 4 * end - after
    cube = 3 * start - before - 3 * end + after
    points = start + 0.5 * t * (linear + t * (square + t * cube))
    return points.transpose(1, 0, 2).reshape(-1, 2)


def smooth_closed(points: npt.ArrayLike, samples: int = 8) -> Points:
    """Return a smooth closed curve through (N, 2) points, with `samples` points per segment."""
    knots = np.asarray(points, np.float64)
    return _curve(np.concatenate([knots[-1:], knots, knots[:2]]), samples)


def smooth_open(points: npt.ArrayLike, samples: int = 8) -> Points:
    """Return a smooth curve from the first to the last of (N, 2) points."""
    knots = np.asarray(points, np.float64)
    first, last = 2 * knots[0] - knots[1], 2 * knots[-1] - knots[-2]
    curve = _curve(np.concatenate([[first], knots, [last]]), samples)
    return np.concatenate([curve, knots[-1:]])


def make_ellipse(
    centre: tuple[float, float], radii: tuple[float, float], count: int = 28
) -> Points:
    """Return (count, 2) points on an ellipse."""
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.stack(
        [centre[0] + radii[0] * np.cos(angle), centre[1] + radii[1] * np.sin(angle)], axis=1
    )


def soften(alpha: FloatArray, sigma: float) -> FloatArray:
    """Blur `alpha` by `sigma` pixels, with replicated borders."""
    if sigma < 0.2:
        return alpha
    blurred = cv2.GaussianBlur(alpha, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    return blurred.astype(np.float32, copy=False)


def to_colour(rgb: Sequence[float]) -> FloatArray:
    """Convert a colour from 0 to 255 to 0 to 1, (3,)."""
    return np.asarray(rgb, np.float32) / np.float32(255)


def blend(rgb: FloatArray, colour: FloatArray, alpha: FloatArray) -> None:
    """Blend `colour`, (3,) or (H, W, 3), into `rgb`, (H, W, 3), in place, weighted by `alpha`."""
    rows = np.flatnonzero(alpha.any(axis=1))
    if rows.size == 0:
        return
    columns = np.flatnonzero(alpha.any(axis=0))
    window = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    paint = colour if colour.ndim == 1 else colour[window]
    rgb[window] += alpha[window][..., None] * (paint - rgb[window])


def shade_round(
    alpha: FloatArray, sigma: float, toward_light: tuple[float, float], strength: float
) -> FloatArray:
    """Return brightness factors that make a flat shape look round.

    Parameters
    ----------
    alpha : (H, W) float32, 0 to 1
        Coverage of the shape.
    sigma : float
        Width of the shaded edge, pixels.
    toward_light : (float, float)
        Unit vector (x, y) towards the light, y down.
    strength : float
        Approximate maximum change in brightness.

    Returns
    -------
    (H, W, 1) float32, positive
        Factors around 1.
    """
    height = soften(alpha, sigma)
    slope = cv2.Sobel(height, cv2.CV_32F, 1, 0, ksize=3) * np.float32(toward_light[0])
    slope += cv2.Sobel(height, cv2.CV_32F, 0, 1, ksize=3) * np.float32(toward_light[1])
    # The Sobel kernel sums to 8 and a blurred step has slope 0.4 / sigma, hence the factor.
    lit = np.clip(-slope * np.float32(sigma / (8 * 0.4)), -1, 1)
    factor: FloatArray = (1 + np.float32(strength) * lit)[..., None]
    return factor


class Layer:
    """A picture with transparency and premultiplied colours, painted from back to front.

    Attributes
    ----------
    rgb : (H, W, 3) float32, 0 to 1
        Colours multiplied by coverage.
    alpha : (H, W) float32, 0 to 1
        Coverage.
    """

    def __init__(self, size: int) -> None:
        self.rgb: FloatArray = np.zeros((size, size, 3), np.float32)
        self.alpha: FloatArray = np.zeros((size, size), np.float32)

    def paint(self, colour: FloatArray, alpha: FloatArray) -> None:
        """Blend `colour`, (3,) or (H, W, 3), into the layer, weighted by `alpha`."""
        blend(self.rgb, colour, alpha)
        self.alpha += alpha * (1 - self.alpha)

    def composite_over(self, rgb: FloatArray) -> None:
        """Composite this layer over an opaque picture, in place."""
        rgb *= (1 - self.alpha)[..., None]
        rgb += self.rgb


def sample(alpha: FloatArray, point: Points) -> float:
    """Return the coverage at a point (x, y), pixels; 0 outside the picture."""
    x, y = int(np.floor(point[0])), int(np.floor(point[1]))
    inside = 0 <= y < alpha.shape[0] and 0 <= x < alpha.shape[1]
    return float(alpha[y, x]) if inside else 0.0
