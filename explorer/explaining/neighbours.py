"""The photos that look most like another one to the classifier."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from explorer.analysis.doubt import compute_likeness
from explorer.workspace.features import Features
from explorer.workspace.files import WorkspaceFiles

_COUNT = 6


class Neighbour(NamedTuple):
    """A photo that the classifier was trained on, and its likeness: a cosine, in [-1, 1]."""

    image_id: int
    likeness: float


def find_neighbours(
    workspace: WorkspaceFiles, features: Features, z: NDArray[np.float32]
) -> tuple[Neighbour, ...]:
    """Find the photos that the classifier was trained on whose Z is most similar.

    Parameters
    ----------
    workspace : WorkspaceFiles
        Its held-out photos are no neighbours.
    features : Features
        Of all its photos.
    z : NDArray of float32
        (S_z,), >= 0.

    Returns
    -------
    tuple of Neighbour
        At most six, the most similar first.
    """
    held_out = [photo.image_id for photo in workspace.held_out]
    known = np.flatnonzero(~np.isin(features.image_ids, held_out))
    if not len(known):
        return ()
    likeness = compute_likeness(z[np.newaxis], features.z[known])[0]
    nearest = np.argsort(-likeness, kind="stable")[:_COUNT]
    return tuple(Neighbour(int(features.image_ids[known[n]]), float(likeness[n])) for n in nearest)
