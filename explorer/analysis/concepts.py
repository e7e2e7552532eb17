"""Whether x-features are different concepts: how many carry the score, and how they overlap."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import entr

from explorer.analysis.agreement import compute_overlaps
from explorer.analysis.faithfulness import compute_contribution_shares


@dataclass(frozen=True, eq=False)
class PairOverlaps:
    """Overlaps of the maps for one photo.

    Attributes
    ----------
    values : NDArray of float64
        (N,), in [0, 1], one per pair of active x-features with a map.
    zero_maps : int
        Number of active x-features whose map is zero everywhere.
    """

    values: NDArray[np.float64]
    zero_maps: int


def compute_effective_number(contributions: ArrayLike) -> float | None:
    """Compute how many x-features carry the score, as the exponential of an entropy.

    Parameters
    ----------
    contributions : array_like, shape (M, K), float
        vₙEₙ, signed, of each photo.

    Returns
    -------
    float or None
        exp(−Σ s log s) with the shares s = |vₙEₙ| / Σ|vE|, averaged over photos: 1 if a single
        x-feature is the whole score, K if all have equal shares. Photos without contributions are
        left out; None if none is left.

    Raises
    ------
    ValueError
        When the shape is not (M, K) or a value is not finite.

    Notes
    -----
    Not in the paper. The perplexity of the shares; see Hill, "Diversity and Evenness" (1973).
    """
    shares = _compute_defined_shares(contributions)
    return float(np.exp(entr(shares).sum(axis=1)).mean()) if len(shares) else None


def compute_top_share(contributions: ArrayLike) -> float | None:
    """Compute the largest share in the score, averaged over photos.

    Parameters
    ----------
    contributions : array_like, shape (M, K), float
        vₙEₙ, signed, of each photo.

    Returns
    -------
    float or None
        The largest |vₙEₙ| / Σ|vE|, in [1/K, 1]. Photos without contributions are left out; None if
        none is left.

    Raises
    ------
    ValueError
        As in `compute_effective_number`.
    """
    shares = _compute_defined_shares(contributions)
    return float(shares.max(axis=1).mean()) if shares.size else None


def compute_pair_overlaps(maps: ArrayLike, contributions: ArrayLike) -> PairOverlaps:
    """Compute the overlap of each pair of active x-features' maps for one photo.

    Parameters
    ----------
    maps : array_like, shape (K, h, w), float
        Maps, >= 0, in any unit.
    contributions : array_like, shape (K,), float
        vₙEₙ; an x-feature is active if it is not 0.

    Returns
    -------
    PairOverlaps
        Σ min(P, Q), where P and Q are two maps normalised to sum to 1: 1 for equal maps, 0 for
        disjoint ones.

    Raises
    ------
    ValueError
        When shapes do not fit.
    """
    heat, sizes = np.asarray(maps, np.float64), np.asarray(contributions, np.float64)
    if heat.ndim != 3 or sizes.shape != heat.shape[:1]:
        raise ValueError(f"maps (K, h, w), contributions (K,): {heat.shape}, {sizes.shape}")
    is_active, has_heat = sizes != 0, heat.any(axis=(1, 2))
    shown = heat[np.newaxis, is_active & has_heat]
    overlaps = compute_overlaps(shown, shown)
    pairs = np.triu_indices(len(overlaps), k=1)
    return PairOverlaps(overlaps[pairs], int((is_active & ~has_heat).sum()))


def compute_weighted_locality(
    locality: ArrayLike, is_defined: ArrayLike, contributions: ArrayLike
) -> float | None:
    """Compute the mean locality of x-features, weighted by their contributions.

    Parameters
    ----------
    locality : array_like, shape (K,), float
        H of each x-feature, in nats.
    is_defined : array_like, shape (K,), bool
        False for x-features whose maps are all zero; they are left out.
    contributions : array_like, shape (M, K), float
        vₙEₙ, signed, of each photo.

    Returns
    -------
    float or None
        Σ wₙHₙ / Σ wₙ with wₙ = mean |vₙEₙ|; None if all weights are 0.

    Raises
    ------
    ValueError
        When shapes do not fit.

    Notes
    -----
    In the paper's plain mean, x-features that hardly contribute count as much as the others.
    """
    values, defined = np.asarray(locality, np.float64), np.asarray(is_defined, bool)
    sizes = np.abs(np.asarray(contributions, np.float64))
    if values.ndim != 1 or defined.shape != values.shape or sizes.shape[1:] != values.shape:
        shapes = f"{values.shape}, {defined.shape}, {sizes.shape}"
        raise ValueError(f"locality (K,), is_defined (K,), contributions (M, K): {shapes}")
    weights = np.where(defined, sizes.sum(axis=0), 0.0)
    total = weights.sum()
    return float(weights / total @ values) if total > 0 else None


def _compute_defined_shares(contributions: ArrayLike) -> NDArray[np.float64]:
    """Compute the shares of the photos that have any contribution, (N, K)."""
    values = np.asarray(contributions, np.float64)
    if values.ndim != 2:
        raise ValueError(f"contributions must have shape (M, K), not {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError("contributions must be finite")
    return compute_contribution_shares(values[values.any(axis=1)])
