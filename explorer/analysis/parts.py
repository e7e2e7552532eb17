"""How much every part of a bird matters to a score, by an explanation."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

_HELD = 0.5


def compute_importance(histogram: ArrayLike, contributions: ArrayLike) -> NDArray[np.float64]:
    """Share every x-feature's contribution out to the parts on which its heat lies.

    Parameters
    ----------
    histogram : array_like, shape (K, P), float
        S_p of every x-feature, in [0, 1].
    contributions : array_like, shape (K,), float
        vₙEₙ, signed, in units of the logit.

    Returns
    -------
    ndarray, shape (P,), float64
        Signed, in units of the logit. Together with what lies outside the box they add up to ȳ.
    """
    importance: NDArray[np.float64] = np.asarray(contributions, float) @ np.asarray(
        histogram, float
    )
    return importance


def compute_pointer_share(on_part: ArrayLike, falls: ArrayLike) -> float | None:
    """Compute how much of a change falls to the x-feature that looks at what was changed.

    Parameters
    ----------
    on_part : array_like, shape (K,), float
        Share of each x-feature's heat on the changed part.
    falls : array_like, shape (K,), float
        How far each contribution fell with the change; negative where it rose.

    Returns
    -------
    float or None
        The fall of the x-feature with the most heat on the part, over the sum of the absolute
        changes of all: in [0, 1], 0 where it rose. None where nothing changed.
    """
    changes = np.asarray(falls, float)
    total = np.abs(changes).sum()
    pointer = int(np.argmax(np.asarray(on_part, float)))
    return float(max(0.0, changes[pointer]) / total) if total > 0 else None


def select_important(importance: Mapping[str, float]) -> tuple[str, ...]:
    """Select the fewest parts that together hold half of the positive importance, falling."""
    positive = sorted(
        (item for item in importance.items() if item[1] > 0), key=lambda item: -item[1]
    )
    total = sum(value for _, value in positive)
    chosen: list[str] = []
    held = 0.0
    for name, value in positive:
        if held >= _HELD * total:
            break
        chosen.append(name)
        held += value
    return tuple(chosen)
