"""What was computed of a photo as named arrays, for NPZ files."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from explorer.analysis.calibration import compute_softmax
from explorer.explaining.naming import load_names
from explorer.nn.explanation import Explanation
from explorer.workspace.files import WorkspaceFiles
from explorer.workspace.layout import ModuleEntry


def list_arrays(
    workspace: WorkspaceFiles,
    entry: ModuleEntry,
    explanation: Explanation,
    score_map: NDArray[np.float32],
    size: tuple[int, int],
) -> dict[str, ArrayLike]:
    """List everything computed of a photo, but not the photo itself.

    Parameters
    ----------
    workspace, entry : WorkspaceFiles, ModuleEntry
        What explains the photo.
    explanation : Explanation
        Of the photo.
    score_map : NDArray of float32
        (h, w), >= 0, c-MWP of the score itself.
    size : tuple of int
        (height, width) of the photo.

    Returns
    -------
    dict
        ``raw_maps`` (K, h, w) at ``map_layer``, ``score_map`` (h, w), ``x_features`` and
        ``contributions`` (K,), ``x_feature_names`` (K,), empty where there is none, ``base``,
        ``y_bar``, ``y_hat``, ``logits`` and ``softmax`` (C,) of ``categories``, ``category``,
        ``module_run``, ``classifier_sha256`` and ``photo_size``.
    """
    names = load_names(workspace, entry)
    return {
        "raw_maps": explanation.maps,
        "map_layer": explanation.stop,
        "x_features": explanation.x_features,
        "contributions": explanation.contributions,
        "x_feature_names": [names.get(n, "") for n in range(len(explanation.x_features))],
        "base": explanation.base,
        "y_bar": explanation.y_bar,
        "y_hat": explanation.y_hat,
        "logits": explanation.logits,
        "score_map": score_map,
        "softmax": compute_softmax(explanation.logits),
        "categories": workspace.dataset.categories,
        "category": entry.category,
        "module_run": entry.run,
        "classifier_sha256": workspace.settings.classifier_sha256,
        "photo_size": size,
    }
