"""The training and test photos of a module."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explorer.data.photo import Photo

SIDES = ("test", "train", "unused")


@dataclass(frozen=True)
class SplitSides:
    """Which photos a module was trained and tested on, by image id."""

    train: frozenset[int]
    test: frozenset[int]

    def name_side(self, image_id: int) -> str:
        """Return ``"test"``, ``"train"``, or ``"unused"`` for a photo in neither set."""
        if image_id in self.test:
            return "test"
        return "train" if image_id in self.train else "unused"

    def name_sides(self, image_ids: NDArray[np.int64]) -> NDArray[np.str_]:
        """Return the side of each of several photos, in their order."""
        return np.array([self.name_side(int(image_id)) for image_id in image_ids], dtype=np.str_)


def sort_photos(photos: Sequence[Photo], split: SplitSides) -> list[Photo]:
    """Sort photos by side, in the order of `SIDES`; each side keeps the order of the data set."""
    return sorted(photos, key=lambda photo: SIDES.index(split.name_side(photo.image_id)))
