"""Z and logits of every photo as arrays; without torch, which most pages do not need."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explorer.config import ExplorerError
from explorer.workspace.files import WorkspaceFiles


@dataclass(frozen=True, eq=False)
class Features:
    """The classifier's outputs for every photo of a data set.

    Attributes
    ----------
    image_ids : NDArray of int64
        (M,), in the order of the rows.
    z : NDArray of float32
        (M, S_z), >= 0; memory-mapped when read from disk.
    logits : NDArray of float32
        (M, C), signed: the scores before softmax; memory-mapped when read from disk.
    """

    image_ids: NDArray[np.int64]
    z: NDArray[np.float32]
    logits: NDArray[np.float32]

    def get_rows(self, image_ids: Sequence[int]) -> NDArray[np.int64]:
        """Return the row of each image id; `ExplorerError` if one has no row."""
        wanted = np.asarray(image_ids, dtype=np.int64)
        unknown = np.setdiff1d(wanted, self.image_ids)
        if len(unknown):
            raise ExplorerError(
                f"The data set has no photo with id {unknown[0]}, or its file is missing. Restore "
                "the file; `python -m explorer doctor` lists missing photos."
            )
        order = np.argsort(self.image_ids)
        rows: NDArray[np.int64] = order[np.searchsorted(self.image_ids, wanted, sorter=order)]
        return rows


def select_scores(
    files: WorkspaceFiles, features: Features, category: str, image_ids: Sequence[int]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
    """Return Z (M, S_z), ŷ of `category` (M,), and whether each photo belongs to it (M,)."""
    rows = features.get_rows(image_ids)
    index = files.dataset.categories.index(category)
    positives = {photo.image_id for photo in files.dataset.photos_of(category)}
    is_positive = np.array([image_id in positives for image_id in image_ids])
    return features.z[rows], features.logits[rows, index], is_positive
