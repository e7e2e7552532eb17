"""Part histograms of heatmaps, and their entropy, the locality.

A heatmap that is zero everywhere, or in all parts, has no histogram. Such cases are marked by a
mask and counted. The arrays never contain NaN.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import entr


@dataclass(frozen=True)
class PartHistogram:
    """Distribution of the maps for one photo over its parts.

    Attributes
    ----------
    values : ndarray, shape (K, P), float64
        S_p, the share of each map in each part, in [0, 1]; zero if not live.
    outside : ndarray, shape (K,), float64
        Share in no part, in [0, 1]: ``values.sum(axis=1) + outside == 1`` if live.
    is_live : ndarray, shape (K,), bool
        False if a map is zero everywhere.
    """

    values: NDArray[np.float64]
    outside: NDArray[np.float64]
    is_live: NDArray[np.bool_]


@dataclass(frozen=True)
class MeanHistogram:
    """Part histograms averaged over photos, then normalised.

    Attributes
    ----------
    values : ndarray, shape (K, P), float64
        S̄_p / Σ S̄_p: rows sum to 1, or are zero if not defined.
    is_defined : ndarray, shape (K,), bool
        False if the maps for all photos are zero in all parts.
    photo_counts : ndarray, shape (K,), int64
        Number of photos in the mean.
    left_out : ndarray, shape (K,), int64
        Number of photos left out because the map is zero everywhere.
    outside : ndarray, shape (K,), float64
        Mean share in no part, before normalising, in [0, 1]; 0 without photos.
    """

    values: NDArray[np.float64]
    is_defined: NDArray[np.bool_]
    photo_counts: NDArray[np.int64]
    left_out: NDArray[np.int64]
    outside: NDArray[np.float64]


@dataclass(frozen=True)
class LocalitySummary:
    """The locality of each x-feature over a set of photos, with its histogram.

    Attributes
    ----------
    histogram : ndarray, shape (K, P), float64
        As `MeanHistogram.values`.
    locality : ndarray, shape (K,), float64
        H in nats, in [0, log P]; low is local. If not defined, it is log P, the least local, so
        that undefined values never look good.
    is_defined, photo_counts, left_out, outside
        As in `MeanHistogram`.
    """

    histogram: NDArray[np.float64]
    locality: NDArray[np.float64]
    is_defined: NDArray[np.bool_]
    photo_counts: NDArray[np.int64]
    left_out: NDArray[np.int64]
    outside: NDArray[np.float64]


def compute_part_histogram(
    maps: ArrayLike, labels: NDArray[np.integer], part_count: int
) -> PartHistogram:
    """Compute the share of each map in each part of one photo.

    Parameters
    ----------
    maps : array_like, shape (K, h, w), float
        Heatmaps C, non-negative, in any unit.
    labels : ndarray, shape (h, w), int
        Part of each cell, -1 for none; see `explorer.analysis.voronoi.compute_partition`.
    part_count : int
        P, the number of parts, visible or not.

    Returns
    -------
    PartHistogram
        P(pixel | n) = C / ΣC is taken over the whole photo, so a share outside the box reduces
        every S_p. A photo without visible parts is live, with everything outside.

    Raises
    ------
    ValueError
        When shapes do not fit, a map has a negative or non-finite value, or a label is not in
        ``-1 … part_count - 1``.

    Notes
    -----
    S_p of Qi & Li (2017), section 3.
    """
    heat = np.asarray(maps, dtype=np.float64)
    if heat.ndim != 3 or heat.shape[1:] != labels.shape or labels.size == 0:
        raise ValueError(f"maps of shape (K, h, w) and labels (h, w): {heat.shape}, {labels.shape}")
    if not np.isfinite(heat).all() or (heat < 0).any():
        raise ValueError("a map must be finite and non-negative")
    if labels.min() < -1 or labels.max() >= part_count:
        raise ValueError(f"labels must lie in -1 … {part_count - 1}")

    peaks = heat.max(axis=(1, 2))
    is_live = peaks > 0
    bins = labels.ravel().astype(np.int64) + 1
    shares = np.zeros((len(heat), part_count + 1))
    for index in np.flatnonzero(is_live):
        # Divided by the peak first, to avoid underflow and overflow.
        weights = (heat[index] / peaks[index]).ravel()
        mass = np.bincount(bins, weights=weights, minlength=part_count + 1)
        shares[index] = mass / mass.sum()
    return PartHistogram(values=shares[:, 1:], outside=shares[:, 0], is_live=is_live)


def compute_mean_histogram(histograms: ArrayLike, is_live: ArrayLike) -> MeanHistogram:
    """Average part histograms over photos, then normalise each row to sum to 1.

    Parameters
    ----------
    histograms : array_like, shape (M, K, P), float
        `PartHistogram.values` of M photos, in [0, 1]; M may be 0.
    is_live : array_like, shape (M, K), bool
        `PartHistogram.is_live` of the same photos.

    Returns
    -------
    MeanHistogram

    Raises
    ------
    ValueError
        When shapes do not fit, or a value is not in [0, 1].

    Notes
    -----
    S̄_p of Qi & Li (2017), section 3. They divide by the number of all photos, here only photos with
    a nonzero map count. The normalisation cancels the difference.
    """
    values, live = np.asarray(histograms, dtype=np.float64), np.asarray(is_live, dtype=bool)
    if values.ndim != 3 or live.shape != values.shape[:2]:
        raise ValueError(f"shapes must be (M, K, P) and (M, K), not {values.shape}, {live.shape}")
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError("a part histogram must lie in [0, 1]")

    counts = live.sum(axis=0)
    total = np.where(live[..., np.newaxis], values, 0.0).sum(axis=0)
    mean = total / np.maximum(counts, 1)[:, np.newaxis]
    covered = mean.sum(axis=1)
    normalised, is_defined = _normalise_rows(mean)
    return MeanHistogram(
        values=normalised,
        is_defined=is_defined,
        photo_counts=counts,
        left_out=len(live) - counts,
        outside=np.where(counts > 0, np.clip(1.0 - covered, 0.0, 1.0), 0.0),
    )


def compute_locality(
    histogram: ArrayLike,
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Compute the entropy of part histograms.

    Parameters
    ----------
    histogram : array_like, shape (K, P), float
        Non-negative; each row is normalised to sum to 1.

    Returns
    -------
    locality : ndarray, shape (K,), float64
        H = −Σ S log S in nats, in [0, log P]: 0 if everything is in one part, log P if it is evenly
        distributed or the row is zero.
    is_defined : ndarray, shape (K,), bool
        False for a row of zeros.

    Raises
    ------
    ValueError
        When the shape is not (K, P) with P ≥ 1, or a value is negative or not finite.

    Notes
    -----
    H_n of Qi & Li (2017), section 3.
    """
    values = np.asarray(histogram, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] < 1:
        raise ValueError(f"a histogram must have shape (K, P), not {values.shape}")
    if not np.isfinite(values).all() or (values < 0).any():
        raise ValueError("a histogram must be finite and non-negative")
    normalised, is_defined = _normalise_rows(values)
    highest = np.log(values.shape[1])
    # Rounding may lead slightly beyond the bounds.
    entropy = np.clip(entr(normalised).sum(axis=1), 0.0, highest)
    return np.where(is_defined, entropy, highest), is_defined


def compute_locality_summary(histograms: ArrayLike, is_live: ArrayLike) -> LocalitySummary:
    """Compute the mean histogram and the locality of each x-feature.

    Parameters
    ----------
    histograms, is_live
        As in `compute_mean_histogram`.

    Returns
    -------
    LocalitySummary

    Raises
    ------
    ValueError
        As in `compute_mean_histogram`.
    """
    mean = compute_mean_histogram(histograms, is_live)
    locality, _ = compute_locality(mean.values)
    return LocalitySummary(
        histogram=mean.values,
        locality=locality,
        is_defined=mean.is_defined,
        photo_counts=mean.photo_counts,
        left_out=mean.left_out,
        outside=mean.outside,
    )


def _normalise_rows(
    values: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Divide rows by their sums; rows of zeros remain and are marked False."""
    peaks = values.max(axis=1, initial=0.0)
    is_defined = peaks > 0
    scaled = values / np.where(is_defined, peaks, 1.0)[:, np.newaxis]
    sums = np.where(is_defined, scaled.sum(axis=1), 1.0)
    return scaled / sums[:, np.newaxis], is_defined
