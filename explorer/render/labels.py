"""Placing of names beside crowded points without overlaps."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

LABEL_FONT_SIZE = 11
_CHARACTER_WIDTH = 6.3
_PADDING = 7.0
_LABEL_HEIGHT = 18.0
_MARKER_RADIUS = 6.0
_DISTANCES = (14.0, 22.0, 32.0, 44.0, 58.0)
_MORE_DISTANCES = (76.0, 96.0, 118.0, 142.0, 168.0)  # out of a place that is kept clear
_ANGLES = np.linspace(0, 2 * np.pi, 16, endpoint=False)


@dataclass(frozen=True)
class Label:
    """The position of one name.

    Attributes
    ----------
    index : int
        Row of the point it belongs to.
    shift : tuple of float
        From the point to the centre of the name, ``(right, down)``, in screen pixels.
    """

    index: int
    shift: tuple[float, float]


def place_labels(
    points: ArrayLike,
    texts: Sequence[str],
    size: tuple[float, float],
    clear: tuple[float, float, float, float] | None = None,
) -> list[Label]:
    """Find a free place near each point for its name.

    Parameters
    ----------
    points : array_like, shape (N, 2), float
        ``(x, y)`` in screen pixels, y downwards.
    texts : sequence of str
        N names.
    size : tuple of float
        ``(height, width)`` of the picture in screen pixels; names stay within it.
    clear : tuple of float, optional
        ``(left, top, right, bottom)`` of a place that names keep clear of, in screen pixels.

    Returns
    -------
    list of Label
        At most one per point. Names overlap neither each other nor a point; a name without a
        free place near its point is left out.

    Raises
    ------
    ValueError
        When the numbers of names and points differ.
    """
    positions = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    if len(positions) != len(texts):
        raise ValueError(f"{len(texts)} names do not fit {len(positions)} points")
    if len(positions) == 0:
        return []
    markers = np.hstack([positions - _MARKER_RADIUS, positions + _MARKER_RADIUS])
    bounds = np.array([0.0, 0.0, size[1], size[0]])
    outward = positions - positions.mean(axis=0)
    taken = markers
    distances: Sequence[float] = _DISTANCES
    if clear is not None:
        taken, distances = np.vstack([markers, clear]), (*_DISTANCES, *_MORE_DISTANCES)
    labels = []
    for index in np.argsort(positions[:, 1], kind="stable"):
        width = _CHARACTER_WIDTH * len(texts[index]) + _PADDING
        for shift in _list_shifts(width, outward[index], distances):
            centre = positions[index] + shift
            half = np.array([width, _LABEL_HEIGHT]) / 2
            place = np.concatenate([centre - half, centre + half])
            if _is_within(place, bounds) and not _overlaps_any(place, taken):
                taken = np.vstack([taken, place])
                labels.append(Label(int(index), (float(shift[0]), float(shift[1]))))
                break
    return labels


def _list_shifts(
    width: float, outward: NDArray[np.float64], distances: Sequence[float]
) -> list[NDArray[np.float64]]:
    """List shifts by distance; at equal distance, those away from the crowd come first."""
    directions = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)
    directions = directions[np.argsort(-directions @ outward, kind="stable")]
    # Names are wider than high, so they need more distance to the sides than above and below.
    reach = np.array([width / 2, 0.0])
    return [direction * (distance + reach) for distance in distances for direction in directions]


def _is_within(place: NDArray[np.float64], bounds: NDArray[np.float64]) -> bool:
    return bool((place[:2] >= bounds[:2]).all() and (place[2:] <= bounds[2:]).all())


def _overlaps_any(place: NDArray[np.float64], taken: NDArray[np.float64]) -> bool:
    apart = (place[:2] >= taken[:, 2:]) | (place[2:] <= taken[:, :2])
    return bool((~apart.any(axis=1)).any())
