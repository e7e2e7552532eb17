"""Measures of faithfulness, locality and concepts as records, for all methods."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from explorer.analysis.activation import compute_auc
from explorer.analysis.concepts import (
    PairOverlaps,
    compute_effective_number,
    compute_top_share,
    compute_weighted_locality,
)
from explorer.analysis.faithfulness import compute_faithfulness
from explorer.analysis.locality import PartHistogram, compute_locality_summary
from explorer.measuring.records import (
    ConceptMeasures,
    FiringMeasures,
    LocalityMeasures,
    SideMeasures,
)

_STRONGEST = 4


def measure_side(
    y_bar: NDArray[np.floating],
    y_hat: NDArray[np.floating],
    contributions: NDArray[np.floating],
    is_positive: NDArray[np.bool_],
) -> SideMeasures:
    """Measure faithfulness on one side of a split.

    Parameters
    ----------
    y_bar, y_hat : ndarray, shape (M,), float
        Scores of the module and the classifier, in units of the logit.
    contributions : ndarray, shape (M, K), float
        vₙEₙ, signed.
    is_positive : ndarray, shape (M,), bool
        Whether each photo belongs to the module's category; true for at least one.
    """
    return SideMeasures(
        faithfulness=compute_faithfulness(y_bar, y_hat),
        positives=compute_faithfulness(y_bar[is_positive], y_hat[is_positive]),
        mean_contribution=tuple(contributions[is_positive].mean(axis=0).tolist()),
    )


def measure_locality(
    histograms: Sequence[PartHistogram], live: NDArray[np.bool_]
) -> LocalityMeasures:
    """Measure locality over a group of photos.

    Parameters
    ----------
    histograms : sequence of PartHistogram
        One per photo, of K maps each; not empty.
    live : ndarray, shape (K,), bool
        X-features with a contribution on at least one photo. A dead x-feature may have maps, since
        they start before its ReLU, but it explains nothing.
    """
    summary = compute_locality_summary(
        np.stack([histogram.values for histogram in histograms]),
        np.stack([histogram.is_live for histogram in histograms]),
    )
    counted = summary.locality[summary.is_defined & live]
    lists = {name: value.tolist() for name, value in asdict(summary).items()}
    histogram = tuple(map(tuple, lists.pop("histogram")))
    return LocalityMeasures(
        histogram=histogram,
        mean_locality=float(counted.mean()) if counted.size else None,
        **{name: tuple(values) for name, values in lists.items()},
    )


def compute_mean_outside(locality: LocalityMeasures, live: Iterable[bool]) -> float | None:
    """Return the mean share of the heat outside the box over live x-features with a locality.

    None without any.
    """
    drawn = zip(locality.outside, locality.is_defined, live, strict=True)
    shares = [share for share, is_defined, is_live in drawn if is_defined and is_live]
    return fmean(shares) if shares else None


def measure_concepts(
    contributions: NDArray[np.floating],
    overlaps: Sequence[PairOverlaps],
    locality: LocalityMeasures,
) -> ConceptMeasures:
    """Measure whether x-features are different concepts.

    Parameters
    ----------
    contributions : ndarray, shape (M, K), float
        vₙEₙ on M photos, signed.
    overlaps : sequence of PairOverlaps
        Of the maps for the same photos.
    locality : LocalityMeasures
        Locality over the same photos.
    """
    pairs = np.concatenate([np.empty(0), *(one.values for one in overlaps)])
    return ConceptMeasures(
        effective_number=compute_effective_number(contributions),
        top_share=compute_top_share(contributions),
        overlap=float(pairs.mean()) if pairs.size else None,
        weighted_locality=compute_weighted_locality(
            locality.locality, locality.is_defined, contributions
        ),
        silent_photos=int((~contributions.any(axis=1)).sum()),
        pairs=pairs.size,
        zero_maps=sum(one.zero_maps for one in overlaps),
    )


def measure_firing(
    x_features: NDArray[np.floating], is_positive: NDArray[np.bool_], image_ids: Sequence[int]
) -> tuple[FiringMeasures, ...]:
    """Measure on which photos each x-feature fires.

    Parameters
    ----------
    x_features : ndarray, shape (M, K), float
        E(Z), >= 0.
    is_positive : ndarray, shape (M,), bool
        Whether each photo belongs to the module's category.
    image_ids : sequence of int
        M ids.
    """
    ids, measured = np.asarray(image_ids), []
    for activations in x_features.T:
        order = np.argsort(-activations, kind="stable")[:_STRONGEST]
        strongest = ids[order[activations[order] > 0]]
        auc = compute_auc(activations, is_positive)
        measured.append(FiringMeasures(auc, tuple(strongest.tolist())))
    return tuple(measured)
