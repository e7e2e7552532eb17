"""What a part finder learns: where the parts and the box are in each photo, whole and mirrored."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explorer.analysis.part_finding import mirror_parts
from explorer.data.photo import Photo, check_geometry, read_photo_size


@dataclass(frozen=True, eq=False)
class PartTargets:
    """Annotations of N photos, as shares of their width and height.

    Attributes
    ----------
    points : NDArray of float32
        (N, P, 2), (x, y), in [0, 1]; NaN for parts that are not visible.
    boxes : NDArray of float32
        (N, 4), (left, top, right, bottom), in [0, 1].
    sizes : NDArray of int64
        (N, 2), (width, height) of the photos, in pixels.
    """

    points: NDArray[np.float32]
    boxes: NDArray[np.float32]
    sizes: NDArray[np.int64]

    @property
    def visible(self) -> NDArray[np.bool_]:
        """(N, P), whether each part is visible."""
        return np.isfinite(self.points[..., 0])

    def mirror(self, part_names: Sequence[str]) -> "PartTargets":
        """Return the annotations of the mirrored photos, in which left is right."""
        points = self.points[:, mirror_parts(part_names)] * [-1, 1] + [1, 0]
        boxes = self.boxes[:, [2, 1, 0, 3]] * [-1, 1, -1, 1] + [1, 0, 1, 0]
        return PartTargets(points.astype(np.float32), boxes.astype(np.float32), self.sizes)


def read_targets(photos: Sequence[Photo]) -> PartTargets:
    """Read the annotations of photos, for whose sizes the headers of their files are read.

    Raises
    ------
    DatasetError
        When a file is missing or damaged, or its box is outside the photo.
    """
    points, boxes, sizes = [], [], []
    for photo in photos:
        height, width = read_photo_size(photo)
        geometry = check_geometry(photo, (height, width))
        x, y, box_width, box_height = geometry.box
        where = np.where(photo.visible[:, np.newaxis], geometry.parts, np.nan)
        points.append(np.clip(where / (width, height), 0, 1))
        edges = np.array([x, y, x + box_width, y + box_height])
        boxes.append(edges / (width, height, width, height))
        sizes.append((width, height))
    return PartTargets(
        np.array(points, np.float32).reshape(len(photos), -1, 2),
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(sizes, np.int64).reshape(-1, 2),
    )
