"""Which attribute of categories an x-feature stands for, as far as its activations can tell.

An attribute is a candidate if the category that the x-feature fires on has it, and if it can be
seen where the heat lies. Candidates are ranked by the correlation, over categories, of the mean
activation with the share of the category that has the attribute. The category itself proves
nothing, as it has all candidates, so the correlation must hold without it too.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

HAS_SHARE = 0.5
"""A category has an attribute if at least this share of it has."""

MIN_CORRELATION = 0.3
"""A name needs this correlation, at the lower end of its interval and over the other categories."""

MAX_CHANCE = 0.05
"""A name needs a correlation that shuffled categories reach at most this often."""

MIN_HEAT = 0.1
"""Heat lies on parts that have this share of the heat on the bird, and no less than by area."""

MIN_PART_HEAT, MIN_PART_DENSITY = 0.25, 1.5
"""A part alone names an x-feature if it has this share of the heat, and this much more than by
area."""

MIN_REGION_HEAT = 0.4
"""The same for a region of several parts, such as the head."""

MIN_OUTSIDE = 0.5
"""The background names an x-feature if it has this share of the heat, and no less than by area."""

FIRING_SHARE = 0.25
"""An x-feature fires on a category that has this share of its highest mean activation."""

_SAME = 0.05  # correlations that differ by less are told apart by the heat
_RESAMPLES = 1000
_TAIL = 0.025
_ROUNDING = 1e-14  # what a constant may have for a variance


@dataclass(frozen=True, eq=False)
class Heat:
    """Where the heat of an x-feature lies, on average over photos.

    Attributes
    ----------
    shares : NDArray of float64
        (P,), share of the heat on the bird on each part; sums to 1, or to 0 without heat.
    areas : NDArray of float64
        (P,), share of the box that belongs to each part.
    outside, outside_area : float
        Share of all heat, and of the photo, outside the box.
    """

    shares: NDArray[np.float64]
    areas: NDArray[np.float64]
    outside: float
    outside_area: float

    @property
    def is_outside(self) -> bool:
        """Whether the heat lies on the background."""
        return self.outside >= max(MIN_OUTSIDE, self.outside_area)

    def sum_over(self, parts: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return the share of the heat on each of N sets of parts, from (N, P) to (N,)."""
        return parts @ self.shares

    def compute_densities(self, parts: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return heat by area on each of N sets of parts, (N,): 1 for an even spread."""
        shares, areas = self.sum_over(parts), parts @ self.areas
        return np.divide(shares, areas, out=np.zeros(len(parts)), where=areas > 0)


@dataclass(frozen=True)
class Evidence:
    """The attribute that an x-feature stands for.

    Attributes
    ----------
    attribute : int
        Its index.
    correlation, low, high : float
        Correlation over all categories with its 95 % bootstrap interval, in [-1, 1].
    elsewhere : float
        The same without the categories by which candidates were chosen.
    chance : float
        How often the other categories have so high a correlation when they are shuffled, in (0, 1].
    """

    attribute: int
    correlation: float
    low: float
    high: float
    elsewhere: float
    chance: float

    @property
    def strength(self) -> float:
        """The lower of the two correlations."""
        return min(self.correlation, self.elsewhere)

    @property
    def is_sufficient(self) -> bool:
        """Whether it passes the bar for a name."""
        is_high = min(self.low, self.elsewhere) >= MIN_CORRELATION
        return is_high and self.chance <= MAX_CHANCE


def find_attribute(
    activations: ArrayLike,
    shares: ArrayLike,
    parts: NDArray[np.bool_],
    heat: Heat,
    *,
    is_candidate: NDArray[np.bool_],
    is_chosen: NDArray[np.bool_],
    seed: int = 0,
) -> Evidence | None:
    """Find the attribute that predicts best on which categories an x-feature fires.

    Parameters
    ----------
    activations : array_like, shape (C,), float
        Mean activation on photos of each category, >= 0.
    shares : array_like, shape (C, A), float
        How much of each category has each attribute, in [0, 1].
    parts : ndarray, shape (A, P), bool
        The parts on which each attribute can be seen.
    heat : Heat
        Of the x-feature.
    is_candidate : ndarray, shape (A,), bool
        The attributes to choose from; only those on which heat lies are used.
    is_chosen : ndarray, shape (C,), bool
        Categories by which candidates were chosen, such as the explained one. They agree by
        choice, so only the others can confirm a name. They are in every bootstrap sample.
    seed : int
        Seed of the bootstrap and of the shuffles.

    Returns
    -------
    Evidence or None
        Of the attributes whose strength is within 0.05 of the highest, the one with the densest
        heat. None if no attribute passes `Evidence.is_sufficient`.

    Raises
    ------
    ValueError
        When shapes do not fit.
    """
    means, table = np.asarray(activations, np.float64), np.asarray(shares, np.float64)
    if table.shape != (len(means), len(parts)) or is_candidate.shape != (len(parts),):
        raise ValueError(f"activations (C,), shares (C, A): {means.shape}, {table.shape}")
    densities = heat.compute_densities(parts)
    is_hot = (heat.sum_over(parts) >= MIN_HEAT) & (densities >= 1)
    candidates = np.flatnonzero(is_candidate & is_hot)
    if not len(candidates) or is_chosen.all():
        return None
    found = _weigh(means, table[:, candidates], is_chosen, seed)
    passing = [n for n, one in enumerate(found) if one.is_sufficient]
    if not passing:
        return None
    top = max(found[n].strength for n in passing)
    close = [n for n in passing if found[n].strength >= top - _SAME]
    best = max(close, key=lambda n: densities[candidates[n]])
    return replace(found[best], attribute=int(candidates[best]))


def _weigh(
    means: NDArray[np.float64],
    table: NDArray[np.float64],
    is_chosen: NDArray[np.bool_],
    seed: int,
) -> list[Evidence]:
    """Weigh the evidence for each column of a table (C, N)."""
    rng = np.random.default_rng(seed)
    others = np.flatnonzero(~is_chosen)
    counts = np.ones((_RESAMPLES, len(means)))
    counts[:, others] = rng.multinomial(
        len(others), np.full(len(others), 1 / len(others)), _RESAMPLES
    )
    low, high = np.quantile(correlate(means, table, counts), (_TAIL, 1 - _TAIL), axis=0)
    shuffled = rng.permuted(np.tile(means[others], (_RESAMPLES, 1)), axis=1)
    elsewhere = correlate(means[others], table[others])
    by_chance = correlate(shuffled, table[others])
    chance = ((by_chance >= elsewhere - _ROUNDING).sum(axis=0) + 1) / (_RESAMPLES + 1)
    columns = (correlate(means, table)[0], low, high, elsewhere[0], chance)
    return [Evidence(n, *map(float, one)) for n, one in enumerate(zip(*columns, strict=True))]


def correlate(
    means: NDArray[np.float64],
    table: NDArray[np.float64],
    counts: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Compute Pearson's correlation of rows of numbers with columns.

    Parameters
    ----------
    means : ndarray, shape (C,) or (B, C), float64
        One row of numbers, or several.
    table : ndarray, shape (C, N), float64
        The columns.
    counts : ndarray, shape (B, C), float64, optional
        How often each of the C is in each of B samples.

    Returns
    -------
    ndarray, shape (B, N), float64
        In [-1, 1]; 0 where one of the two does not vary.
    """
    rows = np.atleast_2d(means)
    # Centred first, so that little is lost when squares are subtracted.
    x, y = rows - rows.mean(axis=1, keepdims=True), table - table.mean(axis=0)
    x = x / (np.abs(x).max(initial=0.0) or 1.0)
    weights = np.ones_like(rows) if counts is None else counts
    weights = weights / weights.sum(axis=1, keepdims=True)
    x_mean, y_mean = (weights * x).sum(axis=1, keepdims=True), weights @ y
    covariance = (weights * x) @ y - x_mean * y_mean
    x_variance = (weights * x**2).sum(axis=1, keepdims=True) - x_mean**2
    product = x_variance * (weights @ y**2 - y_mean**2)
    varies = product > _ROUNDING
    size = np.sqrt(np.where(varies, product, 1.0))
    result: NDArray[np.float64] = np.where(varies, covariance / size, 0.0).clip(-1, 1)
    return result


def find_part(heat: Heat, groups: NDArray[np.bool_], least: float = MIN_PART_HEAT) -> int | None:
    """Find the group of parts that has the most heat; None if it is little more than by area.

    Parameters
    ----------
    heat : Heat
        Of the x-feature.
    groups : ndarray, shape (G, P), bool
        The parts of each group, such as both wings.
    least : float
        The share of the heat that the group must have, in [0, 1].
    """
    shares, densities = heat.sum_over(groups), heat.compute_densities(groups)
    passes = (shares >= least) & (densities >= MIN_PART_DENSITY)
    return int(np.argmax(np.where(passes, shares, -1.0))) if passes.any() else None


def find_categories(activations: ArrayLike) -> NDArray[np.intp]:
    """Return the categories on which an x-feature fires, the highest mean activation first."""
    means = np.asarray(activations, np.float64)
    order = np.argsort(-means, kind="stable")
    top = means.max(initial=0.0)
    fires: NDArray[np.intp] = order[(means[order] > 0) & (means[order] >= FIRING_SHARE * top)]
    return fires
