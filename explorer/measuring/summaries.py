"""Measures of faithfulness and locality as records, for all methods."""

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from explorer.analysis.faithfulness import compute_faithfulness
from explorer.analysis.locality import PartHistogram, compute_locality_summary
from explorer.measuring.records import LocalityMeasures, SideMeasures


def measure_side(
    y_bar: NDArray[np.floating],
    y_hat: NDArray[np.floating],
    contributions: NDArray[np.floating],
    is_positive: NDArray[np.bool_],
) -> SideMeasures:
    """Measure faithfulness on one side of a split.

    Parameters
    ----------
    y_bar, y_hat : ndarray, shape (M,), float
        Scores of the module and the classifier, in units of the logit.
    contributions : ndarray, shape (M, K), float
        vₙEₙ, signed.
    is_positive : ndarray, shape (M,), bool
        Whether each photo belongs to the module's category; true for at least one.
    """
    return SideMeasures(
        faithfulness=compute_faithfulness(y_bar, y_hat),
        positives=compute_faithfulness(y_bar[is_positive], y_hat[is_positive]),
        mean_contribution=tuple(contributions[is_positive].mean(axis=0).tolist()),
    )


def measure_locality(
    histograms: Sequence[PartHistogram], live: NDArray[np.bool_]
) -> LocalityMeasures:
    """Measure locality over a group of photos.

    Parameters
    ----------
    histograms : sequence of PartHistogram
        One per photo, of K maps each; not empty.
    live : ndarray, shape (K,), bool
        X-features with a contribution on at least one photo. A dead x-feature may have maps, since
        they start before its ReLU, but it explains nothing.
    """
    summary = compute_locality_summary(
        np.stack([histogram.values for histogram in histograms]),
        np.stack([histogram.is_live for histogram in histograms]),
    )
    counted = summary.locality[summary.is_defined & live]
    lists = {name: value.tolist() for name, value in asdict(summary).items()}
    histogram = tuple(map(tuple, lists.pop("histogram")))
    return LocalityMeasures(
        histogram=histogram,
        mean_locality=float(counted.mean()) if counted.size else None,
        **{name: tuple(values) for name, values in lists.items()},
    )
