"""Faithfulness of a module's score to the DNN's, and the contributions of its x-features."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

_ROUNDING = 1e-4  # of sums in single precision, as a share of what is summed


@dataclass(frozen=True)
class FaithfulnessSummary:
    """Measures of the distance between ȳ and ŷ over a set of photos.

    Attributes
    ----------
    f_reg : float
        Mean |ȳ − ŷ|, in units of the logit; 0 is perfect.
    y_hat_range : float
        Largest minus smallest ŷ, as a scale for `f_reg`.
    relative_f_reg : float or None
        ``f_reg / y_hat_range``; None if all ŷ are equal.
    r2 : float or None
        Share of the variance of ŷ that ȳ explains: 1 is perfect, 0 as good as the mean of ŷ, and
        it may be negative. None if all ŷ are equal.
    count : int
        Number of photos.
    """

    f_reg: float
    y_hat_range: float
    relative_f_reg: float | None
    r2: float | None
    count: int


def compute_f_reg(y_bar: ArrayLike, y_hat: ArrayLike) -> float:
    """Compute the mean absolute difference of two scores.

    Parameters
    ----------
    y_bar : array_like, shape (M,), float
        The module's scores ȳ; signed.
    y_hat : array_like, shape (M,), float
        The DNN's scores ŷ before softmax; signed.

    Returns
    -------
    float
        F_reg, in the unit of the scores, at least 0.

    Raises
    ------
    ValueError
        When shapes differ, there is no photo, or a score is not finite.

    Notes
    -----
    F_reg of Qi & Li (2017), section 3.
    """
    module, network = _check_scores(y_bar, y_hat)
    return float(np.abs(module - network).mean())


def compute_faithfulness(y_bar: ArrayLike, y_hat: ArrayLike) -> FaithfulnessSummary:
    """Compute F_reg together with measures to interpret it.

    Parameters
    ----------
    y_bar, y_hat
        As in `compute_f_reg`.

    Returns
    -------
    FaithfulnessSummary

    Raises
    ------
    ValueError
        As in `compute_f_reg`.

    Notes
    -----
    The paper reports only F_reg, which mixes few positives with large scores and many negatives.
    The range and R² are added because a small F_reg may just reflect a small range of scores.
    """
    module, network = _check_scores(y_bar, y_hat)
    f_reg = compute_f_reg(module, network)
    y_hat_range = float(np.ptp(network))
    # The variance of equal scores may be nonzero through rounding; their range is exactly zero.
    has_variance = y_hat_range > 0
    return FaithfulnessSummary(
        f_reg=f_reg,
        y_hat_range=y_hat_range,
        relative_f_reg=f_reg / y_hat_range if has_variance else None,
        r2=_compute_r2(module, network, y_hat_range) if has_variance else None,
        count=len(network),
    )


def compute_contributions(E: ArrayLike, v: ArrayLike) -> NDArray[np.float64]:
    """Compute the contribution of each x-feature to the module's score for each photo.

    Parameters
    ----------
    E : array_like, shape (M, K), float
        Activations of the x-features; signed if the encoder does not end with a ReLU.
    v : array_like, shape (K,), float
        Weights of the x-features; signed.

    Returns
    -------
    ndarray, shape (M, K), float64
        vₙEₙ, signed, in units of the score. Rows sum to ȳ less the base, if there is one.

    Raises
    ------
    ValueError
        When shapes do not fit or a value is not finite.
    """
    activations, weights = np.asarray(E, dtype=np.float64), np.asarray(v, dtype=np.float64)
    if activations.ndim != 2 or weights.shape != activations.shape[1:]:
        raise ValueError(f"E (M, K) and v (K,) do not fit: {activations.shape}, {weights.shape}")
    if not (np.isfinite(activations).all() and np.isfinite(weights).all()):
        raise ValueError("activations and weights must be finite")
    return activations * weights


def compute_base(y_bar: float, contributions: ArrayLike) -> float:
    """Compute the base of a module's score: what is left of it without any contribution.

    Parameters
    ----------
    y_bar : float
        The score ȳ.
    contributions : array_like, shape (K,), float
        vₙEₙ, signed.

    Returns
    -------
    float
        b in ȳ = b + Σ vₙEₙ; exactly 0 where the difference is as small as rounding, as it is with
        the paper's ȳ = vᵀE.
    """
    steps = np.asarray(contributions, dtype=np.float64)
    base = float(y_bar - steps.sum())
    return base if abs(base) > _ROUNDING * (1 + np.abs(steps).sum()) else 0.0


def compute_contribution_shares(contributions: ArrayLike) -> NDArray[np.float64]:
    """Compute the share of each x-feature in the sum of absolute contributions.

    Parameters
    ----------
    contributions : array_like, shape (M, K), float
        vₙEₙ, signed.

    Returns
    -------
    ndarray, shape (M, K), float64
        |vₙEₙ| / Σₘ |vₘEₘ|, in [0, 1]; 0 if no x-feature contributes.
    """
    sizes = np.abs(np.asarray(contributions, dtype=np.float64))
    total = sizes.sum(axis=1, keepdims=True)
    shares: NDArray[np.float64] = sizes / np.where(total > 0, total, 1.0)
    return shares


def compute_live_mask(contributions: ArrayLike) -> NDArray[np.bool_]:
    """Determine which x-features are live, that is, contribute to any score.

    Parameters
    ----------
    contributions : array_like, shape (M, K), float
        vₙEₙ from `compute_contributions`.

    Returns
    -------
    ndarray, shape (K,), bool
        False for a dead x-feature, with vₙEₙ = 0 on every photo.

    Raises
    ------
    ValueError
        When the shape is not (M, K) with M ≥ 1, or a value is not finite.
    """
    values = np.asarray(contributions, dtype=np.float64)
    if values.ndim != 2 or len(values) == 0:
        raise ValueError(f"contributions must be (M, K) with a photo or more, not {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError("contributions must be finite")
    live: NDArray[np.bool_] = (values != 0).any(axis=0)
    return live


def _check_scores(
    y_bar: ArrayLike, y_hat: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    module, network = np.asarray(y_bar, dtype=np.float64), np.asarray(y_hat, dtype=np.float64)
    if module.ndim != 1 or module.shape != network.shape:
        raise ValueError(f"y_bar and y_hat must both be (M,): {module.shape}, {network.shape}")
    if len(module) == 0:
        raise ValueError("faithfulness needs at least one photo")
    if not (np.isfinite(module).all() and np.isfinite(network).all()):
        raise ValueError("scores must be finite")
    return module, network


def _compute_r2(module: NDArray[np.float64], network: NDArray[np.float64], unit: float) -> float:
    # In units of the range, so that squares of small numbers do not underflow.
    residual = (module - network) / unit
    deviation = (network - network.mean()) / unit
    return float(1.0 - (residual @ residual) / (deviation @ deviation))
