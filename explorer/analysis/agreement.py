"""Agreement of scores, and similarity of x-features."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment
from scipy.stats import spearmanr


def compute_rank_agreement(y_bar: ArrayLike, y_hat: ArrayLike) -> float | None:
    """Compute Spearman's rank correlation of ȳ with ŷ.

    Parameters
    ----------
    y_bar, y_hat : array_like, shape (M,), float
        Scores of the module and the classifier, in units of the logit.

    Returns
    -------
    float or None
        In [-1, 1]; None if one of them is the same on all photos.
    """
    y_bar, y_hat = np.asarray(y_bar, float), np.asarray(y_hat, float)
    if len(y_bar) < 2 or np.ptp(y_bar) == 0 or np.ptp(y_hat) == 0:
        return None
    return float(spearmanr(y_bar, y_hat).statistic)


def compute_one_against_all_accuracy(
    score: ArrayLike, rival_logits: ArrayLike, is_positive: ArrayLike
) -> float | None:
    """Compute the accuracy of a score in deciding whether a photo is of the category.

    Parameters
    ----------
    score : array_like, shape (M,), float
        ŷ or ȳ of the category.
    rival_logits : array_like, shape (M, C - 1), float
        The classifier's logits of all other categories.
    is_positive : array_like, shape (M,), bool
        Whether each photo is of the category.

    Returns
    -------
    float or None
        In [0, 1], the mean of the accuracies on positives and on negatives, as there are few
        positives. A photo is assigned to the category if its score is higher than all rival logits.
        None without a rival, a positive or a negative.
    """
    rivals, is_positive = np.asarray(rival_logits), np.asarray(is_positive, bool)
    if not rivals.shape[1] or is_positive.all() or not is_positive.any():
        return None
    is_assigned = np.asarray(score) > rivals.max(axis=1)
    return float((is_assigned[is_positive].mean() + (~is_assigned[~is_positive]).mean()) / 2)


def compute_mean_squared_cosine(x_features: ArrayLike) -> float | None:
    """Compute the orthogonality of x-features: mean squared cosine over all pairs.

    Parameters
    ----------
    x_features : array_like, shape (M, K), float
        Activations. Dead x-features, with zeros only, are left out.

    Returns
    -------
    float or None
        In [0, 1], 0 for orthogonal x-features; None with fewer than two live ones.
    """
    columns = np.asarray(x_features, float)
    columns = columns[:, np.any(columns != 0, axis=0)]
    count = columns.shape[1]
    if count < 2:
        return None
    unit = columns / np.linalg.norm(columns, axis=0)
    cosines = unit.T @ unit
    squares = cosines[~np.eye(count, dtype=bool)] ** 2
    return float(squares.mean())


@dataclass(frozen=True, eq=False)
class Matching:
    """X-features of one run matched with those of another.

    Attributes
    ----------
    pairs : NDArray of int64
        (N, 2): indices in the first and the second run.
    similarity : NDArray of float64
        (N,), similarity of each pair.
    """

    pairs: NDArray[np.int64]
    similarity: NDArray[np.float64]

    @property
    def mean(self) -> float | None:
        """Mean similarity of the pairs; None without pairs."""
        return float(self.similarity.mean()) if len(self.similarity) else None


def match_x_features(similarity: ArrayLike) -> Matching:
    """Match x-features one to one, maximising the sum of their similarities.

    Parameters
    ----------
    similarity : array_like, shape (K, L), float
        Similarity of each x-feature of one run to each of another; finite.
    """
    matrix = np.asarray(similarity, float)
    rows, columns = linear_sum_assignment(matrix, maximize=True)
    return Matching(np.stack([rows, columns], axis=1), matrix[rows, columns])


def compute_correlations(first: ArrayLike, second: ArrayLike) -> NDArray[np.float64]:
    """Compute the correlation of each column of one array with each column of another.

    Parameters
    ----------
    first, second : array_like, shapes (M, K) and (M, L), float
        For example, activations of two runs on the same photos.

    Returns
    -------
    ndarray, shape (K, L), float64
        In [-1, 1]; 0 for a column without variance.
    """
    scaled = []
    for array in (np.asarray(first, float), np.asarray(second, float)):
        centred = array - array.mean(axis=0)
        norm = np.linalg.norm(centred, axis=0)
        scaled.append(np.divide(centred, norm, out=np.zeros_like(centred), where=norm > 0))
    correlations: NDArray[np.float64] = scaled[0].T @ scaled[1]
    return correlations


def compute_overlaps(first: ArrayLike, second: ArrayLike) -> NDArray[np.float64]:
    """Compute the overlap of each map of one run with each map of another.

    Parameters
    ----------
    first, second : array_like, shapes (M, K, h, w) and (M, L, h, w), float
        Maps for the same M photos, >= 0.

    Returns
    -------
    ndarray, shape (K, L), float64
        Mean over photos of Σ min(P, Q), where P and Q are the maps normalised to sum to 1: 1 for
        equal maps, 0 for disjoint maps. A photo on which a map is zero everywhere counts as 0.
    """
    one, other = (_normalise_mass(maps) for maps in (first, second))
    overlaps = [
        [np.minimum(one[:, k], other[:, j]).sum(axis=-1).mean() for j in range(other.shape[1])]
        for k in range(one.shape[1])
    ]
    return np.array(overlaps, float).reshape(one.shape[1], other.shape[1])


def _normalise_mass(maps: ArrayLike) -> NDArray[np.float64]:
    flat = np.asarray(maps, float)
    flat = flat.reshape(*flat.shape[:2], math.prod(flat.shape[2:]))
    mass = flat.sum(axis=-1, keepdims=True)
    shares: NDArray[np.float64] = np.divide(flat, mass, out=np.zeros_like(flat), where=mass > 0)
    return shares
