"""The distribution of an x-feature's activation over photos, and the order of photos by it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata


@dataclass(frozen=True, eq=False)
class ActivationSpread:
    """Distribution of an x-feature's activation over the category's own photos and others.

    Attributes
    ----------
    edges : NDArray of float64
        (B + 1,), edges of equal bins from 0 to the largest activation.
    counts : NDArray of int64
        (2, B), active photos in each bin: the category's own, then others. Bins include their right
        edge and not their left one, so that inactive photos are in no bin.
    inactive : NDArray of int64
        (2,), photos on which the activation is 0.
    """

    edges: NDArray[np.float64]
    counts: NDArray[np.int64]
    inactive: NDArray[np.int64]

    @property
    def totals(self) -> NDArray[np.int64]:
        """Number of the category's own photos and of others, (2,)."""
        totals: NDArray[np.int64] = self.counts.sum(axis=1) + self.inactive
        return totals

    @property
    def shares(self) -> NDArray[np.float64]:
        """Shares of all own photos and of all others, including inactive ones, (2, B)."""
        return self.counts / np.maximum(self.totals, 1)[:, np.newaxis]

    @property
    def inactive_shares(self) -> NDArray[np.float64]:
        """Shares of inactive photos among own photos and others, (2,); NaN without photos."""
        return np.where(self.totals > 0, self.inactive / np.maximum(self.totals, 1), np.nan)


def compute_activation_spread(
    activations: ArrayLike, is_positive: ArrayLike, bins: int = 24
) -> ActivationSpread:
    """Count photos by activation, for the category's own photos and others.

    Parameters
    ----------
    activations : array_like, shape (M,), float
        Activations of one x-feature, >= 0.
    is_positive : array_like, shape (M,), bool
        Whether each photo is of the module's category.
    bins : int
        Number of bins, B, at least 1.

    Raises
    ------
    ValueError
        When lengths differ, or an activation is negative or not finite.
    """
    values, positive = _check(activations, is_positive)
    if not (values >= 0).all():
        raise ValueError("activations must not be negative")
    top = float(values.max(initial=0.0)) or 1.0
    edges = np.linspace(0, top, bins + 1)
    groups = [values[positive], values[~positive]]
    # With side="left", a value on an edge is in the bin below it.
    places = [np.searchsorted(edges, group[group > 0], side="left") - 1 for group in groups]
    counts = [np.bincount(np.minimum(place, bins - 1), minlength=bins) for place in places]
    inactive = [int((group == 0).sum()) for group in groups]
    return ActivationSpread(edges, np.array(counts, np.int64), np.array(inactive, np.int64))


def compute_auc(values: ArrayLike, is_positive: ArrayLike) -> float | None:
    """Compute the area under the ROC curve (AUC) of recognising the category by one number.

    Parameters
    ----------
    values : array_like, shape (M,), float
        The number, such as an activation.
    is_positive : array_like, shape (M,), bool
        Whether each photo is of the category.

    Returns
    -------
    float or None
        In [0, 1]: the probability that a random photo of the category has a higher value than a
        random other photo, with ties counting half. 0.5 is chance. None if all photos, or none, are
        of the category.

    Raises
    ------
    ValueError
        When lengths differ or a value is not finite.

    Notes
    -----
    The Mann-Whitney U statistic divided by the number of pairs.
    """
    numbers, positive = _check(values, is_positive)
    own, others = int(positive.sum()), int((~positive).sum())
    if not own or not others:
        return None
    ranks = rankdata(numbers)
    return float((ranks[positive].sum() - own * (own + 1) / 2) / (own * others))


def draw_order(values: ArrayLike, seed: int, *, descending: bool) -> NDArray[np.int64]:
    """Sort photos by a number, with ties in random order.

    Parameters
    ----------
    values : array_like, shape (M,), float
        The number to sort by.
    seed : int
        Seed of the order of ties, >= 0.
    descending : bool
        Whether the largest is first.

    Returns
    -------
    ndarray, shape (M,), int64
        Indices into `values`.
    """
    numbers = np.asarray(values, dtype=np.float64)
    chance = np.random.default_rng(seed).permutation(len(numbers))
    order: NDArray[np.int64] = np.lexsort((chance, -numbers if descending else numbers))
    return order


def _check(
    values: ArrayLike, is_positive: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    numbers, positive = np.asarray(values, dtype=np.float64), np.asarray(is_positive, dtype=bool)
    if numbers.ndim != 1 or numbers.shape != positive.shape:
        raise ValueError(f"both must be (M,): {numbers.shape}, {positive.shape}")
    if not np.isfinite(numbers).all():
        raise ValueError("values must be finite")
    return numbers, positive
