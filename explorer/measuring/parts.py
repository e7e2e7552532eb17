"""A photo with its annotated parts, and the share of heatmaps on them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explorer.analysis.locality import PartHistogram, compute_part_histogram
from explorer.analysis.voronoi import compute_partition
from explorer.data.photo import Photo, check_geometry, load_photo


@dataclass(frozen=True, eq=False)
class PhotoParts:
    """A photo and its annotations, in pixels of the photo.

    Attributes
    ----------
    image : NDArray of uint8
        (H, W, 3), RGB.
    box : tuple of float
        (x, y, width, height), clipped to the photo.
    points : NDArray of float64
        (P, 2), (x, y); NaN where a part is not visible.
    visible : NDArray of bool
        (P,).
    """

    image: NDArray[np.uint8]
    box: tuple[float, float, float, float]
    points: NDArray[np.float64]
    visible: NDArray[np.bool_]

    def label(self, grid: tuple[int, int] | None = None) -> NDArray[np.int16]:
        """Label each cell of a grid (h, w), or each pixel, with its part; -1 outside the box."""
        size = (self.image.shape[0], self.image.shape[1])
        return compute_partition(self.points, self.visible, self.box, size, grid)

    def measure(self, maps: NDArray[np.float32]) -> PartHistogram:
        """Measure the share of maps (K, h, w), >= 0, on each of the bird's parts."""
        labels = self.label((maps.shape[1], maps.shape[2]))
        return compute_part_histogram(maps, labels, len(self.visible))

    def compute_areas(self) -> NDArray[np.float64]:
        """Compute each part's share of the box, (P,)."""
        labels = self.label()
        cells = np.bincount(labels[labels >= 0], minlength=len(self.visible))
        areas: NDArray[np.float64] = cells / max(1, cells.sum())
        return areas

    @property
    def outside_area(self) -> float:
        """Share of the photo outside the box."""
        return float(1 - self.box[2] * self.box[3] / (self.image.shape[0] * self.image.shape[1]))


def load_parts(photo: Photo) -> PhotoParts:
    """Load a photo with its box and parts, clipped to the photo."""
    image = load_photo(photo)
    geometry = check_geometry(photo, (image.shape[0], image.shape[1]))
    return PhotoParts(image, geometry.box, geometry.parts, photo.visible)
