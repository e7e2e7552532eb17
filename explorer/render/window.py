"""The part of a photo that is shown: around the bird's box, or around the heat."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from explorer.render.colour_maps import check_picture

_MARGIN = 0.1  # of the longer side, on each side
_MOST_HEAT = 0.95


@dataclass(frozen=True)
class Window:
    """A part of a photo, as fractions of its width and height, from its left and top edge.

    Attributes
    ----------
    left, top, right, bottom : float
        In [0, 1], with ``left < right`` and ``top < bottom``.
    """

    left: float = 0.0
    top: float = 0.0
    right: float = 1.0
    bottom: float = 1.0

    @property
    def width(self) -> float:
        """Share of the photo's width."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Share of the photo's height."""
        return self.bottom - self.top

    def find_edges(self, size: tuple[int, int]) -> tuple[int, int, int, int]:
        """Return left, top, right and bottom in pixels of a photo of ``(height, width)``."""
        rows, columns = size
        edges = (self.left * columns, self.top * rows, self.right * columns, self.bottom * rows)
        left, top, right, bottom = map(round, edges)
        return left, top, right, bottom


WHOLE = Window()


def crop_photo(photo: NDArray[np.uint8], window: Window) -> NDArray[np.uint8]:
    """Cut a window out of a photo (H, W, 3), uint8; the result is a view."""
    check_picture(photo)
    left, top, right, bottom = window.find_edges((photo.shape[0], photo.shape[1]))
    return photo[top:bottom, left:right]


def find_box_window(
    box: tuple[float, float, float, float], size: tuple[int, int], margin: float = _MARGIN
) -> Window:
    """Find the window around a box: a square with a margin, where the photo is large enough.

    Parameters
    ----------
    box : tuple of float
        ``(x, y, width, height)`` in pixels of the photo; may reach beyond it.
    size : tuple of int
        ``(height, width)`` of the photo in pixels.
    margin : float
        Space on each side of the box, as a share of its longer side, at least 0.

    Returns
    -------
    Window
        On whole pixels. It holds all of the box that lies in the photo.
    """
    x, y, width, height = box
    side = max(width, height) * (1 + 2 * margin)
    left, right = _place(x + width / 2, side, size[1])
    top, bottom = _place(y + height / 2, side, size[0])
    return Window(left / size[1], top / size[0], right / size[1], bottom / size[0])


def _place(middle: float, length: float, limit: int) -> tuple[int, int]:
    """Place a range of whole pixels around its middle, moved into ``[0, limit]``."""
    span = int(np.clip(np.ceil(length - 1e-6), 1, limit))  # rounding is no part of a pixel
    start = int(np.clip(round(middle - span / 2), 0, limit - span))
    return start, start + span


def find_heat_window(
    maps: ArrayLike, weights: ArrayLike, size: tuple[int, int], margin: float = _MARGIN
) -> Window:
    """Find the window around the heat of several maps.

    Parameters
    ----------
    maps : array_like, shape (K, h, w), float
        Non-negative.
    weights : array_like, shape (K,), float
        How much each counts, at least 0, whatever the sum of its heat.
    size : tuple of int
        ``(height, width)`` of the photo in pixels.
    margin : float
        As in `find_box_window`.

    Returns
    -------
    Window
        Around the middle 95 % of the heat, along either axis; the whole photo if there is none.
    """
    stack = np.asarray(maps, np.float64)
    sums = stack.sum(axis=(1, 2))
    shares = np.divide(weights, sums, out=np.zeros_like(sums), where=sums > 0)
    heat = np.tensordot(shares, stack, axes=1)
    if not heat.any():
        return WHOLE
    left, right = _find_range(heat.sum(axis=0))
    top, bottom = _find_range(heat.sum(axis=1))
    rows, columns = size
    box = (left * columns, top * rows, (right - left) * columns, (bottom - top) * rows)
    return find_box_window(box, size, margin)


def _find_range(heat: NDArray[np.float64]) -> tuple[float, float]:
    """Return where the middle of the heat begins and ends, as shares of the length."""
    passed = np.cumsum(heat) / heat.sum()
    rest = (1 - _MOST_HEAT) / 2
    first, last = np.searchsorted(passed, (rest, 1 - rest))
    return float(first / len(heat)), float(min(last + 1, len(heat)) / len(heat))


def compute_share_outside(heat: ArrayLike, window: Window) -> float:
    """Compute which share of a map's heat lies outside a window.

    Parameters
    ----------
    heat : array_like, shape (h, w), float
        Non-negative, covering the whole photo.
    window : Window
        The part of the photo; cells on its edge count by their area.

    Returns
    -------
    float
        In [0, 1]; 0 for a map without heat.
    """
    values = np.asarray(heat, np.float64)
    total = values.sum()
    if not total:
        return 0.0
    rows, columns = values.shape
    down = _cover(window.top * rows, window.bottom * rows, rows)
    across = _cover(window.left * columns, window.right * columns, columns)
    return float(np.clip(1 - down @ values @ across / total, 0, 1))


def _cover(start: float, end: float, count: int) -> NDArray[np.float64]:
    """Return how much of each of `count` cells of length 1 lies between two places."""
    cells = np.arange(count, dtype=np.float64)
    return np.asarray(np.clip(np.minimum(end, cells + 1) - np.maximum(start, cells), 0, 1))
