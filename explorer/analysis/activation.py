"""How an x-feature's activation is spread over photos, and which photos to look at."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata


@dataclass(frozen=True, eq=False)
class ActivationSpread:
    """Activations of one x-feature over the category's own photos and over others.

    Attributes
    ----------
    edges : NDArray of float64
        (B + 1,), of bins that share the range from 0 to the largest activation evenly.
    counts : NDArray of int64
        (2, B), active photos in each bin: the category's own, then others. A bin holds its right
        edge and not its left, so that none holds the inactive.
    inactive : NDArray of int64
        (2,), photos on which the activation is 0.
    """

    edges: NDArray[np.float64]
    counts: NDArray[np.int64]
    inactive: NDArray[np.int64]

    @property
    def totals(self) -> NDArray[np.int64]:
        """(2,), photos of each kind."""
        totals: NDArray[np.int64] = self.counts.sum(axis=1) + self.inactive
        return totals

    @property
    def shares(self) -> NDArray[np.float64]:
        """(2, B), of all photos of a kind, the inactive among them; 0 where there is no photo."""
        return self.counts / np.maximum(self.totals, 1)[:, np.newaxis]

    @property
    def inactive_shares(self) -> NDArray[np.float64]:
        """(2,), of all photos of a kind; NaN where there is no photo."""
        return np.where(self.totals > 0, self.inactive / np.maximum(self.totals, 1), np.nan)


def compute_activation_spread(
    activations: ArrayLike, is_positive: ArrayLike, bins: int = 24
) -> ActivationSpread:
    """Count photos by activation, the category's own and others apart.

    Parameters
    ----------
    activations : array_like, shape (M,), float
        Of one x-feature, >= 0.
    is_positive : array_like, shape (M,), bool
        Photos of the module's category.
    bins : int
        B, at least 1.

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
    # Searching from the left puts a value on an edge into the bin below it.
    places = [np.searchsorted(edges, group[group > 0], side="left") - 1 for group in groups]
    counts = [np.bincount(np.minimum(place, bins - 1), minlength=bins) for place in places]
    inactive = [int((group == 0).sum()) for group in groups]
    return ActivationSpread(edges, np.array(counts, np.int64), np.array(inactive, np.int64))


def compute_auc(values: ArrayLike, is_positive: ArrayLike) -> float | None:
    """Compute the area under the ROC curve of telling the category by one number alone.

    Parameters
    ----------
    values : array_like, shape (M,), float
        The number, here an activation.
    is_positive : array_like, shape (M,), bool
        Photos of the category.

    Returns
    -------
    float or None
        In [0, 1]: the chance that a random photo of the category has a higher value than a random
        other photo, equal values counting half. 0.5 tells nothing; below it, other photos have
        the higher values. None without photos of either kind.

    Raises
    ------
    ValueError
        When lengths differ or a value is not finite.

    Notes
    -----
    The Mann-Whitney statistic U over the number of pairs, from mean ranks.
    """
    numbers, positive = _check(values, is_positive)
    own, others = int(positive.sum()), int((~positive).sum())
    if not own or not others:
        return None
    ranks = rankdata(numbers)
    return float((ranks[positive].sum() - own * (own + 1) / 2) / (own * others))


def compute_contribution_shares(contributions: ArrayLike) -> NDArray[np.float64]:
    """Compute how much of all that is added and taken away is due to each x-feature.

    Parameters
    ----------
    contributions : array_like, shape (M, K), float
        vₙEₙ, signed.

    Returns
    -------
    ndarray, shape (M, K), float64
        |vₙEₙ| / Σₘ |vₘEₘ|, in [0, 1]; 0 where no x-feature contributes.
    """
    sizes = np.abs(np.asarray(contributions, dtype=np.float64))
    total = sizes.sum(axis=1, keepdims=True)
    shares: NDArray[np.float64] = sizes / np.where(total > 0, total, 1.0)
    return shares


def draw_order(values: ArrayLike, seed: int, *, descending: bool) -> NDArray[np.int64]:
    """Put photos in the order of a number, equal ones by chance.

    Parameters
    ----------
    values : array_like, shape (M,), float
        The number to order by.
    seed : int
        Of the chance, >= 0: the same seed gives the same order.
    descending : bool
        The largest first.

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
