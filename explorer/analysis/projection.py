"""Photos placed in a plane by many numbers of each."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, eq=False)
class Projection:
    """Points in the plane of the first two principal components.

    Attributes
    ----------
    points : NDArray of float64
        (M, 2), centred, in the unit of the numbers.
    shares : tuple of float
        Share of the variance along each of the two axes, in [0, 1].
    moves : NDArray of float64
        (D, 2): where a point moves as each of the D numbers rises by its standard deviation.
    """

    points: NDArray[np.float64]
    shares: tuple[float, float]
    moves: NDArray[np.float64]


def project(values: ArrayLike) -> Projection:
    """Place photos by the first two principal components of their numbers.

    Parameters
    ----------
    values : array_like, shape (M, D), float
        D numbers of each photo, signed, in one unit.

    Returns
    -------
    Projection
        The same for the same numbers. Axes along which nothing varies are zero.

    Raises
    ------
    ValueError
        When the shape is not (M, D) with M and D >= 1, or a number is not finite.
    """
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.ndim != 2 or numbers.size == 0:
        raise ValueError(f"numbers must have shape (M, D), not {numbers.shape}")
    if not np.isfinite(numbers).all():
        raise ValueError("numbers must be finite")
    points, moves = np.zeros((len(numbers), 2)), np.zeros((numbers.shape[1], 2))
    if not np.ptp(numbers, axis=0).any():
        return Projection(points, (0.0, 0.0), moves)
    # scikit-learn takes 1 to 3 s to import, and most pages do without.
    from sklearn.decomposition import PCA  # noqa: PLC0415

    count = min(2, *numbers.shape)
    model = PCA(count, random_state=0)
    points[:, :count] = model.fit_transform(numbers)
    moves[:, :count] = model.components_.T * numbers.std(axis=0)[:, np.newaxis]
    shares: list[float] = [*model.explained_variance_ratio_.tolist(), 0.0]
    return Projection(points, (shares[0], shares[1]), moves)
