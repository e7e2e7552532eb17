"""The square of a heatmap that is worth a close look."""

from bisect import bisect_left
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray


class Square(NamedTuple):
    """A square within a map, in its cells: rows ``top`` to ``top + side``, and so columns."""

    top: int
    left: int
    side: int


def find_square(heat: ArrayLike, share: float = 0.5) -> Square:
    """Find the smallest square with a share of the heat; of equal ones, that with the most.

    Parameters
    ----------
    heat : array_like, shape (h, w), float
        Non-negative, in any unit.
    share : float
        In (0, 1].

    Returns
    -------
    Square
        As large as the map allows if no square holds so much. In the middle if the map is zero.

    Raises
    ------
    ValueError
        When the map is not 2-D, is empty, negative or not finite, or the share is out of range.
    """
    values = np.asarray(heat, dtype=np.float64)
    if values.ndim != 2 or values.size == 0:
        raise ValueError(f"a map must have shape (h, w), not {values.shape}")
    if not np.isfinite(values).all() or (values < 0).any():
        raise ValueError("a map must be finite and non-negative")
    if not 0 < share <= 1:
        raise ValueError(f"share must lie in (0, 1], not {share}")
    largest = min(values.shape)
    if not values.any():
        top, left = ((length - largest) // 2 for length in values.shape)
        return Square(top, left, largest)
    sums = np.pad(values / values.max(), ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    wanted = share * sums[-1, -1]
    # A larger square never holds less than the best of the next smaller ones.
    sides = range(1, largest)
    side = 1 + bisect_left(sides, wanted, key=lambda side: _sum_squares(sums, side).max())
    squares = _sum_squares(sums, side)
    top, left = np.unravel_index(int(squares.argmax()), squares.shape)
    return Square(int(top), int(left), side)


def _sum_squares(sums: NDArray[np.float64], side: int) -> NDArray[np.float64]:
    """Sum the heat of every square of a side, from sums over all rectangles at the origin."""
    total: NDArray[np.float64]
    total = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    return total


def widen_square(square: Square, side: int, size: tuple[int, int]) -> Square:
    """Widen a square about its centre, moved where it would leave the map.

    Parameters
    ----------
    square : Square
        Within the map.
    side : int
        The wanted side; no less than it was, and no more than the map has.
    size : tuple of int
        ``(h, w)`` of the map.
    """
    wide = min(max(side, square.side), *size)
    top, left = (start - (wide - square.side) // 2 for start in (square.top, square.left))
    return Square(min(max(top, 0), size[0] - wide), min(max(left, 0), size[1] - wide), wide)
