"""Means over categories with bootstrap confidence intervals."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

_RESAMPLES = 2000


@dataclass(frozen=True)
class Estimate:
    """A mean over categories with a 95 % confidence interval.

    Attributes
    ----------
    mean, low, high : float
        The mean, and the 2.5th and 97.5th percentiles of means of resampled categories.
    count : int
        Number of categories with a value.
    """

    mean: float
    low: float
    high: float
    count: int


def compute_estimate(values: ArrayLike, seed: int = 0) -> Estimate | None:
    """Compute a mean and its percentile bootstrap interval.

    Parameters
    ----------
    values : array_like, shape (N,), float
        One value per category; finite.
    seed : int
        Seed of the resampling.

    Returns
    -------
    Estimate or None
        None without values.

    Notes
    -----
    Efron & Tibshirani, "An Introduction to the Bootstrap" (1993), section 13.3.
    """
    sample = np.asarray(values, float)
    if not sample.size:
        return None
    rng = np.random.default_rng(seed)
    means = rng.choice(sample, size=(_RESAMPLES, sample.size)).mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return Estimate(float(sample.mean()), float(low), float(high), sample.size)
