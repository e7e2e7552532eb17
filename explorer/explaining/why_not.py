"""Why not another category: what its x-features find on a photo, and what they miss."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment

from explorer.data.names import join_words
from explorer.explaining.naming import call_feature
from explorer.render.numbers import format_number

_LEAST_LIKENESS = 0.5  # of x-features that are a pair
_MOST_MISSED = 3
_MISSED = 0.5  # of what an x-feature usually adds
_WORTH = 0.1  # of what all of them usually add


@dataclass(frozen=True)
class Row:
    """Two x-features that stand side by side, one of each category; None without a partner."""

    own: int | None
    other: int | None


def match_x_features(
    own: ArrayLike,
    other: ArrayLike,
    own_names: Mapping[int, str],
    other_names: Mapping[int, str],
    sizes: ArrayLike,
) -> tuple[Row, ...]:
    """Match the x-features of two modules by where they look and by what they are called.

    Parameters
    ----------
    own, other : array_like, shapes (K, P) and (L, P), float
        Shares of their heat on each part of the bird; rows sum to at most 1.
    own_names, other_names : Mapping of int to str
        Names of x-features, counted from 0, where they have one.
    sizes : array_like, shape (K,), float
        Contributions of the first module on the photo; the largest come first.

    Returns
    -------
    tuple of Row
        At most K + L rows. The matching has the largest total of two likenesses of its pairs, each
        from 0 to 1: their overlap Σₚ min(S̄ₚ, S̄'ₚ), and the share of the words of either name that
        both have. X-features with less than 0.5 in common are no pair, but stand alone.
    """
    first, second = np.asarray(own, np.float64), np.asarray(other, np.float64)
    overlaps = np.minimum(first[:, np.newaxis], second[np.newaxis]).sum(axis=2)
    words, other_words = (
        [_split(names.get(n, "")) for n in range(count)]
        for names, count in ((own_names, len(first)), (other_names, len(second)))
    )
    shared = [[len(a & b) / max(1, len(a | b)) for b in other_words] for a in words]
    likeness = overlaps + np.asarray(shared, np.float64).reshape(overlaps.shape)
    likeness[likeness < _LEAST_LIKENESS] = 0
    pairs = zip(*map(np.ndarray.tolist, linear_sum_assignment(-likeness)), strict=True)
    partners = {n: m for n, m in pairs if likeness[n, m] > 0}
    order = np.argsort(-np.asarray(sizes, np.float64), kind="stable").tolist()
    taken = set(partners.values())
    alone = [Row(None, n) for n in range(len(second)) if n not in taken]
    return (*(Row(n, partners.get(n)) for n in order), *alone)


def _split(name: str) -> set[str]:
    return set(re.findall(r"\w+", name.lower())) - {"and", "with", "or", "of", "the"}


def find_missed(here: ArrayLike, usual: ArrayLike) -> NDArray[np.intp]:
    """Find the x-features that add less than half of what they usually add, the largest gap first.

    Parameters
    ----------
    here, usual : array_like, shape (L,), float
        Contributions on the photo, and their means on the category's own test photos.
    """
    now, before = np.asarray(here, np.float64), np.asarray(usual, np.float64)
    least = _WORTH * float(before.clip(min=0).sum())
    is_missed = (before > least) & (now < _MISSED * before)
    order = np.argsort(now - before, kind="stable")
    return order[is_missed[order]][:_MOST_MISSED]


def find_against(here: ArrayLike, usual: ArrayLike) -> NDArray[np.intp]:
    """Find the x-features that take away clearly more than usual, the largest gap first.

    Parameters
    ----------
    here, usual : array_like, shape (L,), float
        As in `find_missed`.
    """
    now, before = np.asarray(here, np.float64), np.asarray(usual, np.float64)
    least = _WORTH * float(before.clip(min=0).sum())
    is_against = (now < 0) & (before - now > least) & (before <= least)
    order = np.argsort(now - before, kind="stable")
    return order[is_against[order]][:_MOST_MISSED]


def describe_missed(
    rival: str, here: Sequence[float], usual: Sequence[float], names: Mapping[int, str]
) -> str:
    """Say what a rival category misses on a photo.

    Parameters
    ----------
    rival : str
        The category in plain words.
    here, usual : sequence of float
        (L,), contributions of its x-features on the photo, and their means on its own test photos.
    names : Mapping of int to str
        Names of its x-features, counted from 0; the others are called by their number. Those with
        the same name are added up.

    Returns
    -------
    str
        Such as "What is missing for Blue Jay: blue crest (0.1 here, usually 3.1). What speaks
        against it: white wings (−2.0 here, usually −0.1)."
    """
    if max(here, default=0.0) <= 0:
        return f"No x-feature of {rival} adds anything here."

    def list_features(features: NDArray[np.intp]) -> str:
        return join_words(
            [
                f"{call_feature(n, names)} ({format_number(here[n], 1)} here, usually "
                f"{format_number(usual[n], 1)})"
                for n in features.tolist()
            ]
        )

    here, usual, names = _add_up(here, usual, names)
    missed, against = find_missed(here, usual), find_against(here, usual)
    if missed.size:
        sentence = f"What is missing for {rival}: {list_features(missed)}."
    else:
        sums = [format_number(sum(values), 1) for values in (here, usual)]
        sentence = (
            f"Nothing that usually counts is missing for {rival}: its x-features add up to "
            f"{sums[0]} here, usually to {sums[1]}."
        )
    if against.size:
        sentence += f" What speaks against it: {list_features(against)}."
    return sentence


def _add_up(
    here: Sequence[float], usual: Sequence[float], names: Mapping[int, str]
) -> tuple[list[float], list[float], dict[int, str]]:
    """Add up the x-features that have the same name, as one that is present is not missing."""
    sums: dict[str, tuple[float, float]] = {}
    for n, (now, before) in enumerate(zip(here, usual, strict=True)):
        words = call_feature(n, names)
        old = sums.get(words, (0.0, 0.0))
        sums[words] = (old[0] + now, old[1] + before)
    own, mean = ([pair[side] for pair in sums.values()] for side in (0, 1))
    return own, mean, dict(enumerate(sums))
