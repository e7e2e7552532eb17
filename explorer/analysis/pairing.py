"""Pairing the x-features of two modules for a comparison."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from explorer.analysis.agreement import compute_correlations, match_x_features


@dataclass(frozen=True)
class Pair:
    """Two paired x-features, or one without a partner.

    Attributes
    ----------
    left, right : int or None
        Indices, counted from 0; at most one of them is None.
    correlation : float or None
        Correlation of their activations over photos, in [-1, 1]; None without a partner.
    """

    left: int | None
    right: int | None
    correlation: float | None


def pair_x_features(
    left: ArrayLike, right: ArrayLike, left_contributions: ArrayLike
) -> tuple[Pair, ...]:
    """Pair the x-features of two modules by the correlation of their activations.

    Parameters
    ----------
    left, right : array_like, shapes (M, K) and (M, L), float
        Activations on the same M photos, M ≥ 1.
    left_contributions : array_like, shape (N, K), float
        vₙEₙ of the left module, signed, on the N ≥ 1 photos that determine the order.

    Returns
    -------
    tuple of Pair
        max(K, L) pairs: first the x-features of the left module, by decreasing size of their mean
        contribution, then those of the right module without a partner.
    """
    first, second = np.asarray(left, float), np.asarray(right, float)
    matching = match_x_features(compute_correlations(first, second))
    partners = {
        int(one): (int(other), float(value))
        for (one, other), value in zip(matching.pairs, matching.similarity, strict=True)
    }
    sizes = np.abs(np.asarray(left_contributions, float)).mean(axis=0)
    pairs = []
    for feature in np.argsort(-sizes, kind="stable"):
        partner, value = partners.get(int(feature), (None, None))
        pairs.append(Pair(int(feature), partner, value))
    taken = {partner for partner, _ in partners.values()}
    pairs += [Pair(None, k, None) for k in range(second.shape[1]) if k not in taken]
    return tuple(pairs)
