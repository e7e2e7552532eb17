"""What was computed of a photo as named arrays and as a table, for files to keep."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from explorer.analysis.calibration import compute_softmax
from explorer.explaining.naming import load_names, name_feature
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


def compute_y_bar(explanation: Explanation, off: frozenset[int]) -> float:
    """Compute ȳ without the x-features that are switched off."""
    return explanation.y_bar - float(explanation.contributions[sorted(off)].sum())


def tabulate_sum(
    explanation: Explanation,
    names: Mapping[int, str],
    order: Sequence[int] | None = None,
    off: frozenset[int] = frozenset(),
) -> dict[str, Sequence[object]]:
    """Tabulate how the contributions of x-features add up to the module's score.

    Parameters
    ----------
    explanation : Explanation
        Of the photo, by K x-features.
    names : Mapping of int to str
        Names of x-features, counted from 0, where they have one.
    order : sequence of int, optional
        The x-features, counted from 0; as they are numbered, if not given.
    off : frozenset of int
        X-features that are switched off: they contribute 0.

    Returns
    -------
    dict
        Columns ``x-feature``, ``name``, ``activation`` and ``contribution``, a line per x-feature,
        followed by ``base``, where there is one, ``y_bar`` and ``y_hat``.
    """
    rows = list(range(len(explanation.x_features))) if order is None else list(order)
    contributions = explanation.contributions + 0.0  # turns −0.0 of inactive ones into 0.0
    contributions[sorted(off)] = 0
    base = {"base": explanation.base} if explanation.base else {}
    sums = {**base, "y_bar": compute_y_bar(explanation, off), "y_hat": explanation.y_hat}
    blank = [""] * len(sums)
    return {
        "x-feature": [*map(name_feature, rows), *sums],
        "name": [*(names.get(n, "") for n in rows), *blank],
        "activation": [*explanation.x_features[rows].tolist(), *blank],
        "contribution": [*contributions[rows].tolist(), *sums.values()],
    }
