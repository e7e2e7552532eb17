"""Which categories a classifier takes for which."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Confusion:
    """Photos of one category that were taken for another.

    Attributes
    ----------
    truth, said : int
        Index of the category that the photos show, and of the one that was named.
    count : int
        Number of photos.
    share : float
        Share of all photos of `truth`, in (0, 1].
    """

    truth: int
    said: int
    count: int
    share: float


def count_answers(labels: ArrayLike, said: ArrayLike, categories: int) -> NDArray[np.int64]:
    """Count photos by the category that they show and the one that was named.

    Parameters
    ----------
    labels, said : array_like, shape (M,), int
        Index of the true and of the named category of each photo.
    categories : int
        C.

    Returns
    -------
    ndarray, shape (C, C), int64
        Row: shown; column: named.

    Raises
    ------
    ValueError
        When lengths differ, or an index is not in ``0 … C - 1``.
    """
    truths, answers = np.asarray(labels, np.int64), np.asarray(said, np.int64)
    if truths.ndim != 1 or truths.shape != answers.shape:
        raise ValueError(f"both must be (M,): {truths.shape}, {answers.shape}")
    for indices in (truths, answers):
        if indices.size and not 0 <= indices.min() <= indices.max() < categories:
            raise ValueError(f"categories must lie in 0 … {categories - 1}")
    counts = np.bincount(truths * categories + answers, minlength=categories**2)
    table: NDArray[np.int64] = counts.reshape(categories, categories).astype(np.int64)
    return table


def list_confusions(table: NDArray[np.integer]) -> list[Confusion]:
    """List what was confused, (C, C) as from `count_answers`: most photos first, then shares."""
    totals = table.sum(axis=1)
    found = [
        Confusion(truth, said, int(table[truth, said]), float(table[truth, said] / totals[truth]))
        for truth, said in np.argwhere(table).tolist()
        if truth != said
    ]
    return sorted(found, key=lambda one: (-one.count, -one.share))


def choose_most_confused(table: NDArray[np.integer], most: int) -> NDArray[np.intp]:
    """Return at most `most` categories, (N,) and ascending: those of the foremost confusions.

    All are returned if there are no more than that.
    """
    if len(table) <= most:
        return np.arange(len(table))
    chosen: dict[int, None] = {}
    for one in list_confusions(table):
        both = dict.fromkeys((one.truth, one.said))
        if len(chosen | both) <= most:
            chosen |= both
    return np.sort(np.array([*chosen], np.intp))
