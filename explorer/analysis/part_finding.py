"""Points from heatmaps of parts, and how near found parts and boxes come to true ones.

Points are (x, y) as shares of the photo's width and height, in [0, 1]; cell ``(i, j)`` of a map
(h, w) has its centre at ``((j + 0.5) / w, (i + 0.5) / h)``. Boxes are (left, top, right, bottom).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

WITHIN = 0.1
"""A part is found if it is within this share of the longer side of the bird's box."""
_REACH = 2  # cells around the highest one that the point is the mean of


class Peaks(NamedTuple):
    """The points at which heatmaps are highest.

    Attributes
    ----------
    points : NDArray of float64
        (..., 2), (x, y), in [0, 1].
    mass : NDArray of float64
        (...), in (0, 1]: share of a map around its point. Low if the map has several peaks.
    """

    points: NDArray[np.float64]
    mass: NDArray[np.float64]


def find_peaks(scores: ArrayLike) -> Peaks:
    """Locate the peak of maps to a fraction of a cell.

    Parameters
    ----------
    scores : array_like, shape (..., h, w), float
        Logits: the softmax of a map says where the part is.

    Returns
    -------
    Peaks
        Of each map. The point is the mean position in a window of 5 × 5 cells around the highest
        cell, a local soft-argmax, so that other peaks do not pull it.

    Raises
    ------
    ValueError
        When a score is not finite.
    """
    maps = np.asarray(scores, np.float64)
    if not np.isfinite(maps).all():
        raise ValueError("scores must be finite")
    *leading, height, width = maps.shape
    flat = maps.reshape(-1, height * width)
    heat = np.exp(flat - flat.max(axis=1, keepdims=True))
    heat = (heat / heat.sum(axis=1, keepdims=True)).reshape(-1, height, width)
    row, column = np.unravel_index(flat.argmax(axis=1), (height, width))
    is_near_row = np.abs(np.arange(height) - row[:, np.newaxis]) <= _REACH
    is_near_column = np.abs(np.arange(width) - column[:, np.newaxis]) <= _REACH
    window = heat * is_near_row[:, :, np.newaxis] * is_near_column[:, np.newaxis]
    mass = window.sum(axis=(1, 2))
    x = window.sum(axis=1) @ ((np.arange(width) + 0.5) / width) / mass
    y = window.sum(axis=2) @ ((np.arange(height) + 0.5) / height) / mass
    return Peaks(np.stack([x, y], axis=1).reshape(*leading, 2), mass.reshape(leading))


def mirror_parts(names: Sequence[str]) -> NDArray[np.intp]:
    """Return which part each part becomes in a mirrored photo: left and right change places.

    Parameters
    ----------
    names : sequence of str
        P names, such as ``left wing``.

    Returns
    -------
    ndarray, shape (P,), intp
        A part whose counterpart has no name remains itself.
    """
    swapped = {"left": "right", "right": "left"}
    others = [" ".join(swapped.get(word, word) for word in name.split()) for name in names]
    places = {name: index for index, name in enumerate(names)}
    return np.array([places.get(other, i) for i, other in enumerate(others)], np.intp)


def are_within(
    found: ArrayLike, true: ArrayLike, boxes: ArrayLike, sizes: ArrayLike
) -> NDArray[np.bool_]:
    """Return which parts are found within a tenth of the longer side of the bird's box.

    Parameters
    ----------
    found, true : array_like, shape (M, P, 2), float
        Points in [0, 1]; NaN in `true` where a part is not visible.
    boxes : array_like, shape (M, 4), float
        True boxes, in [0, 1].
    sizes : array_like, shape (M, 2), float
        (width, height) of the photos, in pixels, in which distances are measured.

    Returns
    -------
    ndarray, shape (M, P), bool
        False for parts that are not visible. The share among visible parts is PCK@0.1.
    """
    size, box = np.asarray(sizes, np.float64), np.asarray(boxes, np.float64)
    offset = (np.asarray(found, np.float64) - np.asarray(true, np.float64)) * size[:, np.newaxis]
    longer = ((box[:, 2:] - box[:, :2]) * size).max(axis=1)
    with np.errstate(invalid="ignore"):
        near: NDArray[np.bool_] = np.hypot(*np.moveaxis(offset, -1, 0)) <= WITHIN * longer[:, None]
    return near


def compute_overlaps(first: ArrayLike, second: ArrayLike) -> NDArray[np.float64]:
    """Compute the overlap of boxes (M, 4) with others, intersection over union: (M,), in [0, 1].

    Boxes without area overlap nothing.
    """
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    corners = np.maximum(a[:, :2], b[:, :2]), np.minimum(a[:, 2:], b[:, 2:])
    shared = np.clip(corners[1] - corners[0], 0, None).prod(axis=1)
    both = (a[:, 2:] - a[:, :2]).prod(axis=1) + (b[:, 2:] - b[:, :2]).prod(axis=1) - shared
    overlaps: NDArray[np.float64] = np.divide(
        shared, both, out=np.zeros_like(shared), where=both > 0
    )
    return overlaps
