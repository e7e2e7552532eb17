"""Calibration: probabilities that say how often a classifier is right.

A classifier that is trained until it makes no mistake on its training photos is too sure of itself
on others. Dividing its logits by one number, the temperature, before softmax corrects most of that
and never changes which category is first.

References
----------
Guo, Pleiss, Sun & Weinberger, "On Calibration of Modern Neural Networks", ICML 2017,
arXiv 1706.04599. Naeini, Cooper & Hauskrecht, "Obtaining Well Calibrated Probabilities Using
Bayesian Binning", AAAI 2015, for the calibration error.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

BINS = 10
"""Bins of certainty, all of the same width."""

_LOWEST, _HIGHEST = np.log(0.01), np.log(100.0)


@dataclass(frozen=True, eq=False)
class Reliability:
    """How often a classifier is right at each certainty.

    Attributes
    ----------
    edges : NDArray of float64
        (B + 1,), from 0 to 1. A bin includes its upper edge.
    counts, right : NDArray of int64
        (B,), photos in each bin, and those on which the classifier is right.
    certainty : NDArray of float64
        (B,), mean certainty in each bin, in [0, 1]; NaN if it is empty.
    error : float
        Expected calibration error, in [0, 1]: the mean difference between certainty and accuracy,
        weighted by the photos in the bins.
    chance : float
        Calibration error to be expected from this number of photos if every certainty were right.
    """

    edges: NDArray[np.float64]
    counts: NDArray[np.int64]
    right: NDArray[np.int64]
    certainty: NDArray[np.float64]
    error: float
    chance: float

    @property
    def accuracy(self) -> NDArray[np.float64]:
        """(B,), share of photos on which the classifier is right; NaN if a bin is empty."""
        return np.where(self.counts > 0, self.right / np.maximum(self.counts, 1), np.nan)

    def find_bin(self, certainty: float) -> int:
        """Return the bin of a certainty in [0, 1]."""
        return int(_find_bins(np.array([certainty]), self.edges)[0])


def compute_softmax(logits: ArrayLike, temperature: float = 1.0) -> NDArray[np.float64]:
    """Compute softmax of logits (…, C) divided by a temperature, over the last axis: in [0, 1]."""
    shares: NDArray[np.float64] = softmax(np.asarray(logits, np.float64) / temperature, axis=-1)
    return shares.clip(0, 1)


def fit_temperature(logits: ArrayLike, labels: ArrayLike) -> float:
    """Find the temperature under which the right categories are the most likely.

    Parameters
    ----------
    logits : array_like, shape (M, C), float
        Scores of photos that the classifier was not trained on; at least one photo.
    labels : array_like, shape (M,), int
        Index of each photo's category.

    Returns
    -------
    float
        From 0.01 to 100. Below 1 for a classifier that is less sure than it is right.

    Raises
    ------
    ValueError
        When the shapes do not fit.
    """
    scores, right = np.asarray(logits, np.float64), np.asarray(labels)
    if scores.ndim != 2 or right.shape != scores.shape[:1] or not len(right):
        raise ValueError(f"logits (M, C) and labels (M,), not {scores.shape} and {right.shape}")

    def compute_loss(log_temperature: float) -> float:
        likelihoods = log_softmax(scores / np.exp(log_temperature), axis=1)
        return -float(likelihoods[np.arange(len(right)), right].mean())

    # On a logarithmic scale, because a temperature of 2 is as far from 1 as one of 0.5.
    found = minimize_scalar(compute_loss, bounds=(_LOWEST, _HIGHEST), method="bounded")
    return float(np.exp(found.x))


def compute_reliability(certainty: ArrayLike, is_right: ArrayLike, bins: int = BINS) -> Reliability:
    """Compare certainty with accuracy, bin by bin.

    Parameters
    ----------
    certainty : array_like, shape (M,), float
        Probability of the first category of each photo, in [0, 1]; at least one photo.
    is_right : array_like, shape (M,), bool
        Whether the first category is the right one.
    bins : int
        Number of bins, all of the same width.

    Raises
    ------
    ValueError
        When the shapes do not fit, or a certainty is not in [0, 1].

    Notes
    -----
    The error of few photos is above zero even if every certainty is right, because their accuracy
    is random. `Reliability.chance` is the mean of that: the accuracy of n photos differs from its
    mean by √(2/π) standard deviations on average.
    """
    sure, right = np.asarray(certainty, np.float64), np.asarray(is_right, bool)
    if sure.ndim != 1 or sure.shape != right.shape or not len(sure):
        raise ValueError(f"certainty (M,) and is_right (M,), not {sure.shape} and {right.shape}")
    if not ((sure >= 0) & (sure <= 1)).all():
        raise ValueError("certainty must lie in [0, 1]")
    edges = np.linspace(0, 1, bins + 1)
    places = _find_bins(sure, edges)
    counts = np.bincount(places, minlength=bins)
    hits = np.bincount(places, weights=right, minlength=bins)
    sums = np.bincount(places, weights=sure, minlength=bins)
    variances = np.bincount(places, weights=sure * (1 - sure), minlength=bins)
    return Reliability(
        edges=edges,
        counts=counts,
        right=hits.astype(np.int64),
        certainty=np.where(counts > 0, sums / np.maximum(counts, 1), np.nan),
        error=float(np.abs(hits - sums).sum() / len(sure)),
        chance=float(np.sqrt(2 / np.pi * variances).sum() / len(sure)),
    )


def _find_bins(certainty: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.intp]:
    inner = edges[1:-1]
    places: NDArray[np.intp] = np.searchsorted(inner, certainty, side="left")
    return places
