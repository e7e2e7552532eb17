"""How far a classifier's answer can be trusted, fitted on test photos and tested on others.

Whatever is fitted (the temperature, the threshold of the sets, and what counts as strange) is
fitted on one half of the held-out photos. Whatever is said about it is measured on the other half.
The halves are the even and the odd places of the held-out photos in the order of category and id,
so that each category is divided evenly and the halves never change.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from explorer.analysis.calibration import (
    Reliability,
    compute_reliability,
    compute_softmax,
    fit_temperature,
)
from explorer.analysis.conformal import find_sets, fit_threshold
from explorer.analysis.doubt import Level, Reference, compute_certainty, judge, make_reference

MIN_PHOTOS = 20
"""Photos that each half needs. Among M others, a good photo is the strangest with probability
1 / (M + 1)."""

_TOP = 5


@dataclass(frozen=True)
class Count:
    """On how many photos an answer was right, and how many photos there were."""

    right: int
    photos: int


@dataclass(frozen=True, eq=False)
class TestedTrust:
    """What the second half of the held-out photos says of what was fitted on the first.

    Attributes
    ----------
    photos : int
        Number of photos, M.
    top_1, top_5 : float
        Share of photos whose category is the first, or among the first five.
    before, after : Reliability
        Certainty against accuracy without and with the temperature.
    set_sizes : NDArray of int64
        (M,), categories in the set of each photo.
    coverage : float
        Share of photos whose set contains the right category.
    levels : Mapping of Level to float
        Share of photos that are found known, borderline and strange.
    """

    photos: int
    top_1: float
    top_5: float
    before: Reliability
    after: Reliability
    set_sizes: NDArray[np.int64]
    coverage: float
    levels: Mapping[Level, float]


@dataclass(frozen=True, eq=False)
class Trust:
    """What is needed to judge a classifier's answer.

    Attributes
    ----------
    temperature : float
        By which logits are divided before softmax; see `explorer.analysis.calibration`.
    threshold : float
        Lowest probability within a set; see `explorer.analysis.conformal`.
    reference : Reference
        Photos of the first half to compare with; see `explorer.analysis.doubt`.
    named : tuple of Count
        For each category, how often the classifier is right when it names that category, on all
        held-out photos. Nothing that is fitted changes this.
    tested : TestedTrust
        What the second half says of it.
    """

    temperature: float
    threshold: float
    reference: Reference
    named: tuple[Count, ...]
    tested: TestedTrust


def choose_first_half(image_ids: ArrayLike, labels: ArrayLike) -> NDArray[np.bool_]:
    """Choose the photos on which something is fitted.

    Parameters
    ----------
    image_ids, labels : array_like, shape (M,), int
        Id and index of the category of each held-out photo, in any order. Photos with the same id
        are identical.

    Returns
    -------
    ndarray, shape (M,), bool
        True for every other photo in the order of category and id, from the first on. Identical
        photos are in the same half.
    """
    order = np.lexsort((np.asarray(image_ids), np.asarray(labels)))
    is_first = np.zeros(len(order), bool)
    is_first[order[::2]] = True
    _, rows, same = np.unique(np.asarray(image_ids), return_index=True, return_inverse=True)
    chosen: NDArray[np.bool_] = is_first[rows][same]
    return chosen


def fit_trust(
    image_ids: ArrayLike,
    labels: ArrayLike,
    logits: ArrayLike,
    sampled: ArrayLike,
    resemblance: ArrayLike,
) -> Trust | None:
    """Fit on the first half of the held-out photos, and test on the second.

    Parameters
    ----------
    image_ids, labels : array_like, shape (M,), int
        Id and index of the category of each held-out photo.
    logits : array_like, shape (M, C), float
        The classifier's scores before softmax, signed.
    sampled : array_like, shape (K,), int
        Rows of the photos whose resemblance is known, from both halves.
    resemblance : array_like, shape (K,), float
        See `explorer.analysis.doubt.compute_resemblance`.

    Returns
    -------
    Trust or None
        None if a half has fewer than `MIN_PHOTOS` photos.
    """
    right, scores = np.asarray(labels), np.asarray(logits, np.float64)
    is_first = choose_first_half(image_ids, right)
    if (~is_first).sum() < MIN_PHOTOS:
        return None
    temperature = fit_temperature(scores[is_first], right[is_first])
    shares = compute_softmax(scores, temperature)
    threshold = fit_threshold(shares[is_first], right[is_first])
    rows, resembling = np.asarray(sampled), np.asarray(resemblance, np.float64)
    certainty, in_first = compute_certainty(scores[rows]), is_first[rows]
    reference = make_reference(resembling[in_first], certainty[in_first])
    pairs = zip(resembling[~in_first], certainty[~in_first], strict=True)
    levels = [judge(*pair, reference).level for pair in pairs]
    second = ~is_first
    return Trust(
        temperature=temperature,
        threshold=threshold,
        reference=reference,
        named=_count_named(scores.argmax(axis=1), right, scores.shape[1]),
        tested=_test(scores[second], right[second], shares[second], threshold, levels),
    )


def _test(
    logits: NDArray[np.float64],
    labels: NDArray[np.integer],
    shares: NDArray[np.float64],
    threshold: float,
    levels: Sequence[Level],
) -> TestedTrust:
    order = np.argsort(-logits, axis=1, kind="stable")
    is_right = order[:, 0] == labels
    members = find_sets(shares, threshold)
    return TestedTrust(
        photos=len(labels),
        top_1=float(is_right.mean()),
        top_5=float((order[:, :_TOP] == labels[:, np.newaxis]).any(axis=1).mean()),
        before=compute_reliability(compute_softmax(logits).max(axis=1), is_right),
        after=compute_reliability(shares.max(axis=1), is_right),
        set_sizes=members.sum(axis=1),
        coverage=float(members[np.arange(len(labels)), labels].mean()),
        levels=_count_levels(levels),
    )


def _count_levels(found: Sequence[Level]) -> Mapping[Level, float]:
    return MappingProxyType({one: found.count(one) / max(1, len(found)) for one in Level})


def _count_named(
    named: NDArray[np.intp], labels: NDArray[np.integer], categories: int
) -> tuple[Count, ...]:
    photos = np.bincount(named, minlength=categories)
    right = np.bincount(named[named == labels], minlength=categories)
    return tuple(map(Count, right.tolist(), photos.tolist()))
