"""Out-of-distribution detection: whether a photo shows anything that the classifier knows.

A classifier names one of its categories for any picture. Two figures show how familiar a picture
is to it:

- *resemblance*, the highest cosine between the mean over positions of its last map and the mean
  direction of the training photos of a category. Low if it looks like no category.
- *certainty*, the highest softmax. Low if the classifier is undecided.

Each figure is turned into the share of held-out photos in which it is as low, and the logarithms of
both shares are added (Fisher's method of combining p-values). If fewer than 5 % of held-out photos
have as low a sum, the photo is *strange*; if fewer than 15 %, *borderline*; otherwise *known*.

Notes
-----
The figures were chosen on half of the pictures below, and the table shows the other half. The
network has VGG16's convolutions, trained on ImageNet alone, and two new layers of 512 units for the
200 categories of CUB-200-2011 (accuracy 51 % on 2,000 test photos). Share of pictures found
strange:

=============================  ===========  =========  ====
pictures                       resemblance  certainty  both
=============================  ===========  =========  ====
test photos                    4 %          4 %        4 %
photos of other things         98 %         39 %       98 %
noise, plain or in gradients   100 %        100 %      100 %
surroundings without a bird    97 %         77 %       98 %
painted birds                  0 %          32 %       22 %
test photos, greyed            15 %         15 %       18 %
=============================  ===========  =========  ====

Over all pictures but birds in grey, of the seven kinds equally, that is 85, 78 and 88 %. Without
painted birds, which do look like birds, it is 99 %. What else was tried, on the same kinds: nearest
neighbours of Z (Sun et al., ICML 2022, arXiv 2204.06507) 54 %, relative Mahalanobis distance
(Ren et al., 2021, arXiv 2106.09022) 69 %, the energy (Liu et al., NeurIPS 2020, arXiv 2010.03759)
7 %, the highest logit above the mean in units of the length of Z 87 %, and the residual of ViM
(Wang et al., CVPR 2022, arXiv 2203.10807) at Z 32 %; the means of the block of convolutions before
the last 84 %. Combinations of three figures recognise at most 1 % more.

On the demo, where 9 % of 90 test birds are found strange, so are 72 % of them in grey, 99 % with
the bird painted out, and all noise, plain colours and gradients.

A weak network recognises little, and birds of other categories look familiar to all. So a photo
that is known may still show something else. ``tools/strangers.py`` measures any workspace.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from explorer.analysis.calibration import compute_softmax

RARE = 0.05
"""Share of held-out photos that are found strange."""

UNCOMMON = 0.15
"""Share of held-out photos that are found strange or borderline."""


class Level(StrEnum):
    """How a photo compares with photos of what the classifier knows."""

    KNOWN = "known"
    BORDERLINE = "borderline"
    STRANGE = "strange"


class Judgement(NamedTuple):
    """The level of a photo, and the share of held-out photos that are as strange, in [0, 1]."""

    level: Level
    share: float


@dataclass(frozen=True, eq=False)
class Reference:
    """Held-out photos to compare a photo with.

    Attributes
    ----------
    resemblance, certainty : NDArray of float64
        (M,), ascending, in [-1, 1] and [0, 1]; see `compute_resemblance` and `compute_certainty`.
    familiarity : NDArray of float64
        (M,), ascending, <= 0; see `compute_familiarity`.
    """

    resemblance: NDArray[np.float64]
    certainty: NDArray[np.float64]
    familiarity: NDArray[np.float64]


def normalise(z: ArrayLike) -> NDArray[np.float32]:
    """Scale each row of Z (M, S) to length 1; rows of zeros stay zero."""
    rows = np.asarray(z, np.float32)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    lengths[lengths == 0] = 1
    normalised: NDArray[np.float32] = rows / lengths
    return normalised


def compute_likeness(z: ArrayLike, known: ArrayLike) -> NDArray[np.float64]:
    """Compute the similarity of photos to known photos.

    Parameters
    ----------
    z : array_like, shape (M, S), float
        Z of the photos.
    known : array_like, shape (N, S), float
        Z of the photos that the classifier was trained on; at least one.

    Returns
    -------
    ndarray, shape (M, N), float64
        Cosine similarities, in [-1, 1]; 0 if Z is zero everywhere.

    Raises
    ------
    ValueError
        When the shapes do not fit.
    """
    rows, others = (np.asarray(a, dtype=np.float32) for a in (z, known))
    if rows.ndim != 2 or others.ndim != 2 or rows.shape[1] != others.shape[1] or not len(others):
        raise ValueError(f"Z (M, S) and known Z (N, S), not {rows.shape} and {others.shape}")
    cosines = normalise(rows) @ normalise(others).T
    return cosines.clip(-1, 1).astype(np.float64)


def compute_means(pooled: ArrayLike, labels: ArrayLike, categories: int) -> NDArray[np.float32]:
    """Compute the mean direction of each category's photos.

    Parameters
    ----------
    pooled : array_like, shape (N, P), float
        Means over positions of the last map, of photos that the classifier was trained on.
    labels : array_like, shape (N,), int
        Index of each photo's category.
    categories : int
        Number of categories, C.

    Returns
    -------
    ndarray, shape (C, P), float32
        Rows of length 1; zero for a category without photos.
    """
    directions, owner = normalise(pooled), np.asarray(labels)
    sums = np.zeros((categories, directions.shape[1]), np.float32)
    np.add.at(sums, owner, directions)
    return normalise(sums)


def compute_resemblance(pooled: ArrayLike, means: ArrayLike) -> NDArray[np.float64]:
    """Compute the highest cosine of photos (M, P) to the categories' means (C, P): (M,)."""
    highest: NDArray[np.float64] = compute_likeness(pooled, means).max(axis=1)
    return highest


def compute_certainty(logits: ArrayLike) -> NDArray[np.float64]:
    """Compute the highest softmax of each row of logits (M, C): (M,), in (0, 1]."""
    highest: NDArray[np.float64] = compute_softmax(logits).max(axis=1)
    return highest


def make_reference(resemblance: ArrayLike, certainty: ArrayLike) -> Reference:
    """Make the reference of held-out photos from their two figures, (M,) each."""
    figures = [np.asarray(values, np.float64) for values in (resemblance, certainty)]
    ordered = [np.sort(values) for values in figures]
    return Reference(ordered[0], ordered[1], np.sort(_combine(figures, ordered)))


def compute_familiarity(
    resemblance: ArrayLike, certainty: ArrayLike, reference: Reference
) -> NDArray[np.float64]:
    """Combine the two figures of photos, (M,) each, to one: (M,), <= 0.

    Returns
    -------
    ndarray, shape (M,), float64
        Sum of the logarithms of the shares of held-out photos with a figure that is as low.
    """
    figures = [np.asarray(values, np.float64) for values in (resemblance, certainty)]
    return _combine(figures, [reference.resemblance, reference.certainty])


def _combine(
    figures: Sequence[NDArray[np.float64]], ordered: Sequence[NDArray[np.float64]]
) -> NDArray[np.float64]:
    # One is added so that a photo below all others has a share, as in a conformal p-value.
    shares = [
        (1 + np.searchsorted(values, figure, side="right")) / (1 + len(values))
        for figure, values in zip(figures, ordered, strict=True)
    ]
    combined: NDArray[np.float64] = np.log(shares).sum(axis=0)
    return combined


def judge(resemblance: float, certainty: float, reference: Reference) -> Judgement:
    """Compare a photo with the held-out photos, of which there is at least one."""
    familiarity = compute_familiarity([resemblance], [certainty], reference)[0]
    place = np.searchsorted(reference.familiarity, familiarity, side="right")
    share = float(place / len(reference.familiarity))
    if share < RARE:
        return Judgement(Level.STRANGE, share)
    return Judgement(Level.BORDERLINE if share < UNCOMMON else Level.KNOWN, share)
