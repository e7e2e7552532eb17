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
        Signed, in units of the logit. With the share outside the box, they add up to ȳ.
    """
    importance: NDArray[np.float64] = np.asarray(contributions, float) @ np.asarray(
        histogram, float
    )
    return importance


def compute_pointer_share(on_part: ArrayLike, falls: ArrayLike) -> float | None:
    """Compute the share of the x-feature with the most heat on a changed part in all changes.

    Parameters
    ----------
    on_part : array_like, shape (K,), float
        Share of each x-feature's map on the changed part.
    falls : array_like, shape (K,), float
        Decrease of each contribution; negative for an increase.

    Returns
    -------
    float or None
        The decrease of the x-feature with the largest share on the part, divided by the sum of
        absolute changes: in [0, 1], 0 for an increase. None if nothing changed.
    """
    changes = np.asarray(falls, float)
    total = np.abs(changes).sum()
    pointer = int(np.argmax(np.asarray(on_part, float)))
    return float(max(0.0, changes[pointer]) / total) if total > 0 else None


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
