"""Conformal prediction: sets of categories that contain the right one as often as is asked for.

A set holds all categories whose probability reaches a threshold. The threshold is fitted on photos
that the classifier was not trained on, so that the sets of 90 % of such photos contain the right
category, however good the classifier is. The size of a set shows how much doubt there is.

Notes
-----
This is the least ambiguous set-valued classifier (LAC) of Sadinle, Lei & Wasserman, "Least
Ambiguous Set-Valued Classifiers with Bounded Error Levels", JASA 2019, arXiv 1609.00451, whose sets
have the smallest mean size if the probabilities are right. Adaptive sets (APS: Romano, Sesia &
Candès, NeurIPS 2020, arXiv 2006.02544; RAPS: Angelopoulos et al., ICLR 2021, arXiv 2009.14193)
hold the promise better on difficult photos, but are larger: Angelopoulos et al. find LAC the
smallest in every case. Here a set is read out to somebody, so it should be short.

A set of LAC may be empty. Here the most probable category always belongs to it, which can only
make sets hold the right category more often.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

COVERAGE = 0.9
"""Share of photos whose set is to contain the right category."""


def fit_threshold(probabilities: ArrayLike, labels: ArrayLike, coverage: float = COVERAGE) -> float:
    """Find the lowest probability with which a category belongs to a set.

    Parameters
    ----------
    probabilities : array_like, shape (M, C), float
        Probabilities of photos that the classifier was not trained on; rows sum to 1.
    labels : array_like, shape (M,), int
        Index of each photo's category.
    coverage : float
        Share of photos whose set is to contain the right category, in (0, 1).

    Returns
    -------
    float
        In [0, 1]; 0, so that every set has all categories, if there are too few photos.

    Raises
    ------
    ValueError
        When the shapes do not fit.
    """
    shares, right = np.asarray(probabilities, np.float64), np.asarray(labels, np.intp)
    if shares.ndim != 2 or right.shape != shares.shape[:1]:
        raise ValueError(f"(M, C) and labels (M,), not {shares.shape} and {right.shape}")
    own = np.sort(shares[np.arange(len(right)), right])
    # The next photo is as likely to be in each of the M + 1 places among these.
    left_out = len(own) - int(np.ceil((len(own) + 1) * coverage))
    return float(own[left_out]) if left_out >= 0 else 0.0


def find_sets(probabilities: ArrayLike, threshold: float) -> NDArray[np.bool_]:
    """Find which categories belong to the set of each photo.

    Parameters
    ----------
    probabilities : array_like, shape (M, C), float
        Probabilities; rows sum to 1.
    threshold : float
        From `fit_threshold`.

    Returns
    -------
    ndarray, shape (M, C), bool
        At least one in each row.
    """
    shares = np.asarray(probabilities, np.float64)
    members: NDArray[np.bool_] = (shares >= threshold) | (
        shares >= shares.max(axis=1, keepdims=True)
    )
    return members
