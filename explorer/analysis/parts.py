"""Importance of a bird's parts for a score, according to an explanation."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

_IMPORTANT_SHARE = 0.5


def compute_importance(histogram: ArrayLike, contributions: ArrayLike) -> NDArray[np.float64]:
    """Distribute the contributions of x-features over parts, by the shares of their maps.

    Parameters
    ----------
    histogram : array_like, shape (K, P), float
        S_p of each x-feature, in [0, 1].
    contributions : array_like, shape (K,), float
        vₙEₙ, signed, in units of the logit.

    Returns
    -------
    ndarray, shape (P,), float64
        Signed, in units of the logit. With the share outside the box, they add up to ȳ less
        the base.
    """
    importance: NDArray[np.float64] = np.asarray(contributions, float) @ np.asarray(
        histogram, float
    )
    return importance


def select_important(importance: Mapping[str, float]) -> tuple[str, ...]:
    """Select the fewest parts that have half of the positive importance, the largest first."""
    positive = sorted(
        (item for item in importance.items() if item[1] > 0), key=lambda item: -item[1]
    )
    total = sum(value for _, value in positive)
    chosen: list[str] = []
    selected = 0.0
    for name, value in positive:
        if selected >= _IMPORTANT_SHARE * total:
            break
        chosen.append(name)
        selected += value
    return tuple(chosen)
