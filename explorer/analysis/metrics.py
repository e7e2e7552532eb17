"""The measurements of one module, in the form in which they are kept on disk."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explorer.analysis.faithfulness import compute_faithfulness
from explorer.analysis.locality import compute_locality_summary


def describe_faithfulness(
    y_bar: NDArray[np.floating],
    y_hat: NDArray[np.floating],
    contributions: NDArray[np.floating],
    is_positive: NDArray[np.bool_],
) -> dict[str, Any]:
    """Measure one part of a split.

    Parameters
    ----------
    y_bar, y_hat : ndarray, shape (M,), float
        Scores of the module and of the classifier, in units of the logit.
    contributions : ndarray, shape (M, K), float
        vₙEₙ, signed.
    is_positive : ndarray, shape (M,), bool
        Photos of the module's category; at least one.

    Returns
    -------
    dict
        ``faithfulness`` on all photos, ``positives`` the same on the category's own, and
        ``mean_contribution`` (K numbers) on the category's own.
    """
    return {
        "faithfulness": asdict(compute_faithfulness(y_bar, y_hat)),
        "positives": asdict(compute_faithfulness(y_bar[is_positive], y_hat[is_positive])),
        "mean_contribution": contributions[is_positive].mean(axis=0).tolist(),
    }


def describe_locality(
    histograms: NDArray[np.floating],
    has_map: NDArray[np.bool_],
    live: NDArray[np.bool_],
    groups: Mapping[str, list[int]],
) -> dict[str, Any]:
    """Measure locality over groups of photos.

    Parameters
    ----------
    histograms : ndarray, shape (M, K, P), float
        Part histograms of every photo.
    has_map : ndarray, shape (M, K), bool
        Maps that are not zero everywhere.
    live : ndarray, shape (K,), bool
        X-features with a contribution on at least one photo. A dead one may have maps, for they
        start before its ReLU, but explains nothing.
    groups : Mapping
        Name of each group to its rows; none is empty.

    Returns
    -------
    dict
        Per group the fields of `LocalitySummary` as lists, and ``mean_locality`` over live
        x-features (None where no live one has a map).
    """
    described = {}
    for name, rows in groups.items():
        summary = compute_locality_summary(histograms[rows], has_map[rows])
        fields = {field: value.tolist() for field, value in asdict(summary).items()}
        counted = summary.locality[summary.is_defined & live]
        described[name] = fields | {
            "mean_locality": float(counted.mean()) if counted.size else None
        }
    return described
