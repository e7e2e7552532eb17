"""The truth test: whether x-features lose their contributions with the marks they point at.

Birds with known marks are painted again with one mark changed. What then falls is known, and is
compared with where the maps lie.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from explorer.analysis.agreement import compute_rank_agreement, match_x_features

_OWN_SHARE = 0.5


def compute_fall_shares(falls: ArrayLike) -> NDArray[np.float64]:
    """Compute the share of each x-feature in what changes with each mark.

    Parameters
    ----------
    falls : array_like, shape (K, M), float
        Decrease of each of K contributions when each of M marks alone is changed, in units of the
        logit; negative for an increase.

    Returns
    -------
    ndarray, shape (K, M), float64
        The decrease divided by the sum of absolute changes of all x-features: in [0, 1], 0 for an
        increase, and for a mark with which nothing changes.
    """
    changes = np.asarray(falls, np.float64)
    if changes.ndim != 2:
        raise ValueError(f"falls must have shape (K, M), not {changes.shape}")
    totals = np.broadcast_to(np.abs(changes).sum(axis=0), changes.shape)
    falling = np.maximum(changes, 0.0)
    shares: NDArray[np.float64] = np.divide(
        falling, totals, out=np.zeros_like(changes), where=totals > 0
    )
    return shares


def compute_pointer_share(heat: ArrayLike, falls: ArrayLike) -> float | None:
    """Compute how much of each mark's fall the x-feature with the most heat on it takes.

    Parameters
    ----------
    heat : array_like, shape (K, M), float
        Share of each x-feature's map on each mark, in [0, 1].
    falls : array_like, shape (K, M), float
        As in `compute_fall_shares`.

    Returns
    -------
    float or None
        Share of the fall, averaged over the marks with which anything changes, in [0, 1]; 1 / K for
        even falls. None if nothing changes.
    """
    on_marks, changes = _check(heat, falls)
    is_changing = changes.any(axis=0)
    if not is_changing.any():
        return None
    pointers = on_marks.argmax(axis=0)
    taken = compute_fall_shares(changes)[pointers, np.arange(len(pointers))]
    return float(taken[is_changing].mean())


def compute_mark_agreement(heat: ArrayLike, falls: ArrayLike) -> float | None:
    """Compute the rank correlation of heat with falls, over all x-features and marks.

    Parameters
    ----------
    heat, falls : array_like, shape (K, M), float
        As in `compute_pointer_share`.

    Returns
    -------
    float or None
        Spearman's ρ over the K · M entries, in [-1, 1]; None if one of the two does not vary.
    """
    on_marks, changes = _check(heat, falls)
    return compute_rank_agreement(on_marks.ravel(), changes.ravel())


def _check(heat: ArrayLike, falls: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    on_marks, changes = np.asarray(heat, np.float64), np.asarray(falls, np.float64)
    if on_marks.ndim != 2 or on_marks.shape != changes.shape:
        raise ValueError(f"heat (K, M), falls (K, M): {on_marks.shape}, {changes.shape}")
    return on_marks, changes


def compute_own_shares(falls: ArrayLike) -> NDArray[np.float64]:
    """Compute how much of each mark's fall an x-feature takes that is matched with it alone.

    X-features and marks are matched one to one, so that together they take the largest shares.

    Parameters
    ----------
    falls : array_like, shape (K, M), float
        As in `compute_fall_shares`.

    Returns
    -------
    ndarray, shape (M,), float64
        In [0, 1]; 0 for a mark without a match. All are 1 if each mark has an x-feature of its own,
        and only one is if a single x-feature falls with all of them.
    """
    shares = compute_fall_shares(falls)
    matching = match_x_features(shares)
    own = np.zeros(shares.shape[1])
    own[matching.pairs[:, 1]] = matching.similarity
    return own


def count_owned_marks(falls: ArrayLike) -> int:
    """Count the marks with an x-feature of their own, which takes more than half of their fall."""
    return int((compute_own_shares(falls) > _OWN_SHARE).sum())
