"""Voronoi partition of the bounding box: each pixel belongs to the nearest visible part.

A part annotation is a single point, without an outline of the part. The paper (section 3) therefore
divides the bounding box into the Voronoi cells of these points. Distances are measured in pixels of
the original photo, before it is squashed to the network's input, so that the cells do not depend on
the resolution of the heatmap.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

OUTSIDE = -1


def compute_partition(
    parts: ArrayLike,
    visible: ArrayLike,
    box: tuple[float, float, float, float],
    image_size: tuple[int, int],
    map_size: tuple[int, int] | None = None,
) -> NDArray[np.int16]:
    """Label each cell of a grid over the photo with the nearest visible part.

    Parameters
    ----------
    parts : array_like, shape (P, 2), float
        Points ``(x, y)`` in pixels of the photo; rows of invisible parts are not used.
    visible : array_like, shape (P,), bool
        Whether each part is visible in the photo.
    box : tuple of float
        ``(x, y, width, height)`` in pixels of the photo. It may extend beyond the photo.
    image_size : tuple of int
        ``(height, width)`` of the photo in pixels.
    map_size : tuple of int, optional
        ``(height, width)`` of the grid, such as that of a heatmap; by default, that of the photo.
        Cell ``(i, j)`` has its centre at ``((j + 0.5) W / w, (i + 0.5) H / h)``.

    Returns
    -------
    ndarray, shape (h, w), int16
        Index of the nearest visible part if the cell's centre is in
        ``[x, x + width) × [y, y + height)``, else -1. Ties go to the lowest index. All -1 if no
        part is visible or the box is empty.

    Raises
    ------
    ValueError
        When shapes do not fit, a size is not positive, or the box or a visible part is not finite.

    Notes
    -----
    The partition of Qi & Li (2017), section 3, where P(part | pixel) is 1 for the labelled part and
    0 for others. The paper does not mention invisible parts; here they have no pixels.
    """
    points, seen = _check_parts(parts, visible)
    left, top, right, bottom = _compute_bounds(box)
    rows, columns = map_size or image_size
    if min(*image_size, rows, columns) < 1:
        raise ValueError(f"sizes must be positive, not {image_size} and {(rows, columns)}")

    x = (np.arange(columns) + 0.5) * (image_size[1] / columns)
    y = (np.arange(rows) + 0.5) * (image_size[0] / rows)
    in_box = np.ix_((y >= top) & (y < bottom), (x >= left) & (x < right))
    x, y = x[in_box[1][0]], y[in_box[0][:, 0]]

    nearest = np.full((len(y), len(x)), OUTSIDE, dtype=np.int16)
    smallest = np.full(nearest.shape, np.inf)
    # One part at a time, so that the memory does not grow with the number of parts.
    for part in np.flatnonzero(seen):
        distance = (x - points[part, 0]) ** 2 + ((y - points[part, 1]) ** 2)[:, np.newaxis]
        is_nearer = distance < smallest
        nearest[is_nearer] = part
        smallest[is_nearer] = distance[is_nearer]

    labels = np.full((rows, columns), OUTSIDE, dtype=np.int16)
    labels[in_box] = nearest
    return labels


def compute_cell_polygons(
    parts: ArrayLike,
    visible: ArrayLike,
    box: tuple[float, float, float, float],
    image_size: tuple[int, int],
) -> tuple[NDArray[np.float64], ...]:
    """Compute the outline of each visible part's cell.

    Parameters
    ----------
    parts, visible, box, image_size
        As in `compute_partition`.

    Returns
    -------
    tuple of ndarray, each of shape (V, 2), float64
        One convex polygon per part, with corners ``(x, y)`` in pixels of the photo, not closed,
        clipped to the box and the photo. Shape (0, 2) for a part that is invisible, whose cell is
        outside the box, or that is at the same point as a part of lower index.

    Raises
    ------
    ValueError
        As in `compute_partition`.
    """
    points, seen = _check_parts(parts, visible)
    left, top, right, bottom = _compute_bounds(box)
    if min(image_size) < 1:
        raise ValueError(f"the photo's size must be positive, not {image_size}")
    left, right = np.clip((left, right), 0, image_size[1])
    top, bottom = np.clip((top, bottom), 0, image_size[0])
    empty = np.empty((0, 2))
    if right <= left or bottom <= top:
        return tuple(empty for _ in points)

    frame = np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
    indices = np.flatnonzero(seen)
    polygons = [empty] * len(points)
    for part in indices:
        polygon = frame
        for other in indices[indices != part]:
            if np.array_equal(points[part], points[other]):
                polygon = polygon if part < other else empty
            else:
                polygon = _clip_to_nearer_side(polygon, points[part], points[other])
        polygons[part] = polygon if _compute_area(polygon) > 0 else empty
    return tuple(polygons)


def _clip_to_nearer_side(
    polygon: NDArray[np.float64], near: NDArray[np.float64], far: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Keep the side of a convex polygon (V, 2) that is nearer to `near` than to `far`."""
    # Positive on the near side of the perpendicular bisector, zero on it.
    side = (polygon - (near + far) / 2) @ (near - far)
    corners = []
    for index, corner in enumerate(polygon):
        before, side_before = polygon[index - 1], side[index - 1]
        if (side[index] > 0 > side_before) or (side[index] < 0 < side_before):
            corners.append(before + (corner - before) * side_before / (side_before - side[index]))
        if side[index] >= 0:
            corners.append(corner)
    return np.array(corners).reshape(-1, 2)


def _compute_area(polygon: NDArray[np.float64]) -> float:
    x, y = polygon.T
    return float(abs(x @ np.roll(y, 1) - y @ np.roll(x, 1)) / 2)


def _check_parts(
    parts: ArrayLike, visible: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    points, seen = np.asarray(parts, dtype=np.float64), np.asarray(visible, dtype=bool)
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f"parts must have shape (P, 2), not {points.shape}")
    if seen.shape != points.shape[:1]:
        raise ValueError(f"visible must have shape {points.shape[:1]}, not {seen.shape}")
    if not np.isfinite(points[seen]).all():
        raise ValueError("a part that is marked visible has no finite position")
    return points, seen


def _compute_bounds(
    box: tuple[float, float, float, float],
) -> tuple[float, float, float, float]:
    """Return ``(left, top, right, bottom)`` of a box; right < left if its width is negative."""
    if len(box) != 4 or not np.isfinite(box).all():
        raise ValueError(f"a box is four finite numbers (x, y, width, height), not {box}")
    x, y, width, height = (float(number) for number in box)
    return x, y, x + width, y + height
