"""How well each dimension of Z is rebuilt, and how much this depends on one x-feature."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, eq=False)
class Rebuilding:
    """How well the dimensions of Z are rebuilt with and without one x-feature.

    Attributes
    ----------
    is_live : NDArray of bool
        (S_z,), whether a dimension differs between photos.
    r2 : NDArray of float64
        (S_z,), R² with all x-features: 1 is perfect, 0 as good as the dimension's mean, and it may
        be negative. NaN if the dimension is not live.
    r2_held : NDArray of float64
        (S_z,), the same with the x-feature held at its mean.
    """

    is_live: NDArray[np.bool_]
    r2: NDArray[np.float64]
    r2_held: NDArray[np.float64]

    @property
    def loss(self) -> NDArray[np.float64]:
        """Decrease of R² without the x-feature, (S_z,), in [-1, 1]; NaN if not live.

        A negative R² counts as 0: a dimension that is rebuilt no better than by its mean is not
        rebuilt at all. The decrease is negative if a dimension is rebuilt better without the
        x-feature.
        """
        loss: NDArray[np.float64] = np.maximum(self.r2, 0) - np.maximum(self.r2_held, 0)
        return loss

    @property
    def is_rebuilt(self) -> NDArray[np.bool_]:
        """Whether a dimension is live and rebuilt better than by its mean, (S_z,)."""
        return self.is_live & (np.nan_to_num(self.r2, nan=-1.0) > 0)

    def rank(self, count: int) -> NDArray[np.int64]:
        """Return at most `count` dimensions with the largest positive `loss`, the largest first.

        Ties keep their order.
        """
        loss = np.nan_to_num(self.loss)
        order = np.argsort(-loss, kind="stable")
        ranked: NDArray[np.int64] = order[loss[order] > 0][:count].astype(np.int64)
        return ranked


def compute_rebuilding(z: ArrayLike, rebuilt: ArrayLike, held: ArrayLike) -> Rebuilding:
    """Compare Z with its reconstructions with and without one x-feature, by dimension.

    With Z̃ rebuilt from all x-features and Z̃⁽ⁿ⁾ with x-feature n held at its mean,
    R²ₖ = 1 − Σᵢ (Z̃ₖⁱ − Zₖⁱ)² / Σᵢ (Zₖⁱ − Z̄ₖ)², and R²ₖ⁽ⁿ⁾ the same with Z̃⁽ⁿ⁾. The loss
    is max(R²ₖ, 0) − max(R²ₖ⁽ⁿ⁾, 0).

    Parameters
    ----------
    z, rebuilt, held : array_like, shape (M, S_z), float
        Z, Z̃ and Z̃⁽ⁿ⁾ of the same M photos.

    Returns
    -------
    Rebuilding

    Raises
    ------
    ValueError
        When shapes differ, there is no photo, or a value is not finite.

    Notes
    -----
    Not in the paper, which does not relate rebuilt dimensions to x-features.
    """
    arrays = [np.asarray(array, dtype=np.float64) for array in (z, rebuilt, held)]
    if arrays[0].ndim != 2 or not arrays[0].size or len({array.shape for array in arrays}) > 1:
        shapes = ", ".join(str(array.shape) for array in arrays)
        raise ValueError(f"z, rebuilt and held must be alike (M, S_z) with a photo: {shapes}")
    if not all(np.isfinite(array).all() for array in arrays):
        raise ValueError("values of z, rebuilt and held must be finite")
    truth = arrays[0]
    # The variance of equal values may be nonzero through rounding; their range is exactly zero.
    is_live = np.ptp(truth, axis=0) > 0
    total = np.where(is_live, np.square(truth - truth.mean(axis=0)).sum(axis=0), np.nan)
    r2, r2_held = (1 - np.square(array - truth).sum(axis=0) / total for array in arrays[1:])
    return Rebuilding(is_live, r2, r2_held)
