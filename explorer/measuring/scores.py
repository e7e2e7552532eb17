"""Outputs of a module for all photos of a data set, from cached Z."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from explorer.analysis.faithfulness import compute_contributions
from explorer.workspace.features import Features
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace

if TYPE_CHECKING:
    from explorer.workspace.networks import Networks

_CHUNK_ROWS = 2048


@dataclass(frozen=True, eq=False)
class ModuleScores:
    """Outputs of a module for M photos, one row each.

    Attributes
    ----------
    image_ids : NDArray of int64
        (M,).
    x_features : NDArray of float32
        (M, K), E(Z), >= 0.
    contributions : NDArray of float64
        (M, K), vₙEₙ, signed; rows add up to `y_bar`.
    y_bar, y_hat : NDArray of float32
        (M,), the module's and the classifier's score of the module's category.
    is_positive : NDArray of bool
        (M,), whether each photo belongs to the module's category.
    logits : NDArray of float32
        (M, C), the classifier's scores for all categories.
    """

    image_ids: NDArray[np.int64]
    x_features: NDArray[np.float32]
    contributions: NDArray[np.float64]
    y_bar: NDArray[np.float32]
    y_hat: NDArray[np.float32]
    is_positive: NDArray[np.bool_]
    logits: NDArray[np.float32]


def score_photos(workspace: Workspace, entry: ModuleEntry, features: Features) -> ModuleScores:
    """Apply a module to all photos of a data set.

    Parameters
    ----------
    workspace : Workspace
        The workspace of the module.
    entry : ModuleEntry
        The module.
    features : Features
        From `compute_features`.
    """
    networks = workspace.networks
    x_features, y_bar = _apply_in_chunks(networks, entry, features.z)
    index = workspace.dataset.categories.index(entry.category)
    positives = [photo.image_id for photo in workspace.dataset.photos_of(entry.category)]
    return ModuleScores(
        image_ids=features.image_ids,
        x_features=x_features,
        contributions=compute_contributions(x_features, networks.read_weights(entry)),
        y_bar=y_bar,
        y_hat=np.array(features.logits[:, index]),
        is_positive=np.isin(features.image_ids, positives),
        logits=np.asarray(features.logits),  # shared by all modules, so not copied
    )


def _apply_in_chunks(
    networks: "Networks", entry: ModuleEntry, z: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Compute x-features (M, K) and ȳ (M,) in chunks, which limits the memory for Z."""
    starts = range(0, len(z), _CHUNK_ROWS)
    parts = [networks.apply_module(entry, z[start : start + _CHUNK_ROWS]) for start in starts]
    x_features, y_bar = (np.concatenate(values) for values in zip(*parts, strict=True))
    return x_features, y_bar
