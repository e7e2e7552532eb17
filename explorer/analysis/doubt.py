"""Out-of-distribution detection: whether the classifier's answer for a photo can be trusted.

A classifier names one of its categories for any picture. Two figures show how far its answer can be
trusted. Each is compared with the same figure for the held-out photos, which show the categories
but were not used for training:

- *likeness*, the highest cosine similarity between the photo's Z and that of a training photo. If
  it is low, the classifier has not seen anything similar.
- *certainty*, the highest softmax probability. If it is low, the classifier is undecided.

A figure is low if fewer than 5 % of the held-out photos have an equal or lower one. So for each
figure, about one in twenty good photos is doubted.

Notes
-----
The nearest neighbour is used as by Sun et al., "Out-of-Distribution Detection with Deep Nearest
Neighbors" (ICML 2022, arXiv 2204.06507), with the cosine as similarity and k = 1. Share of pictures
that are doubted with the demo's network (``tests/test_doubt_on_demo.py``):

=================================  ========  =========  ======
pictures                           likeness  certainty  either
=================================  ========  =========  ======
painted birds, held out            4 %       4 %        6 %
photos of real birds               83 %      42 %       86 %
noise                              100 %     0 %        100 %
blurred noise                      99 %      80 %       99 %
colour gradient                    56 %      42 %       66 %
plain grey                         13 %      35 %       35 %
painted birds, all greyed          45 %      48 %       54 %
the bird painted out               1 %       4 %        4 %
=================================  ========  =========  ======

Likeness detects most unusual pictures; certainty adds birds without their marks. The highest logit
and the energy (logsumexp) increase with the contrast of a picture, so that they detect no noise,
and otherwise about as much as the softmax. The 5th and the 10th neighbour and the Euclidean
distance detect less than the highest cosine. A weak network detects much less: one with an accuracy
of 48 % on 40 real categories doubts 86 % of noise, but only 19 % of painted birds, 8 % of its own
birds painted grey and no plain grey picture. A photo that is not doubted may therefore still show
none of the categories.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import softmax

RARE = 0.05
# Among M others, a good photo has the lowest figure with probability 1 / (M + 1).
MIN_PHOTOS = 20
_MAX_REFERENCE_PHOTOS = 1000
_BLOCK = 256


@dataclass(frozen=True, eq=False)
class Reference:
    """Figures of the held-out photos, to compare a photo with.

    Attributes
    ----------
    likeness, certainty : NDArray of float64
        (M,), in [-1, 1] and [0, 1].
    """

    likeness: NDArray[np.float64]
    certainty: NDArray[np.float64]


@dataclass(frozen=True)
class Judgement:
    """The figures of a photo, compared with the held-out photos.

    Attributes
    ----------
    likeness, certainty : float
        Figures of the photo.
    share_less_like, share_less_certain : float
        Share of held-out photos with an equal or lower figure, in [0, 1].
    photos : int
        Number of held-out photos compared with.
    """

    likeness: float
    certainty: float
    share_less_like: float
    share_less_certain: float
    photos: int

    @property
    def is_known(self) -> bool:
        """Whether there are enough photos to compare with."""
        return self.photos >= MIN_PHOTOS

    @property
    def is_strange(self) -> bool:
        """Whether the photo is unlike the training photos."""
        return self.is_known and self.share_less_like < RARE

    @property
    def is_torn(self) -> bool:
        """Whether the classifier is unusually undecided between categories."""
        return self.is_known and self.share_less_certain < RARE


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
    cosines = _normalise(rows) @ _normalise(others).T
    return cosines.clip(-1, 1).astype(np.float64)


def compute_softmax(logits: ArrayLike) -> NDArray[np.float64]:
    """Compute softmax over the last axis of logits (…, C), in [0, 1]."""
    shares: NDArray[np.float64] = softmax(np.asarray(logits, dtype=np.float64), axis=-1)
    return shares.clip(0, 1)


def compute_certainty(logits: ArrayLike) -> NDArray[np.float64]:
    """Compute the highest softmax of each row of logits (M, C): (M,), in (0, 1]."""
    highest: NDArray[np.float64] = compute_softmax(logits).max(axis=1)
    return highest


def compute_reference(
    z: NDArray[np.float32], logits: NDArray[np.float32], is_held_out: NDArray[np.bool_]
) -> Reference:
    """Compute the figures of the held-out photos of a data set.

    Parameters
    ----------
    z : ndarray, shape (M, S), float32
        Z of all photos; may be memory-mapped.
    logits : ndarray, shape (M, C), float32
        The classifier's scores of all photos.
    is_held_out : ndarray, shape (M,), bool
        Whether each photo is held out. At most a thousand, evenly spaced, are used. If all photos
        or none are held out, the reference is empty.
    """
    rows = np.flatnonzero(is_held_out)
    known = np.asarray(z[~is_held_out])
    if not len(rows) or not len(known):
        return Reference(np.empty(0), np.empty(0))
    rows = rows[:: -(-len(rows) // _MAX_REFERENCE_PHOTOS)]
    blocks = [rows[start : start + _BLOCK] for start in range(0, len(rows), _BLOCK)]
    likeness = [compute_likeness(z[block], known).max(axis=1) for block in blocks]
    return Reference(np.concatenate(likeness), compute_certainty(logits[rows]))


def judge(likeness: float, certainty: float, reference: Reference) -> Judgement:
    """Compare the figures of a photo with those of the held-out photos."""
    return Judgement(
        likeness=likeness,
        certainty=certainty,
        share_less_like=_compute_share(reference.likeness, likeness),
        share_less_certain=_compute_share(reference.certainty, certainty),
        photos=len(reference.likeness),
    )


def _compute_share(values: NDArray[np.float64], limit: float) -> float:
    return float((values <= limit).mean()) if values.size else 1.0


def _normalise(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    lengths[lengths == 0] = 1
    normalised: NDArray[np.float32] = rows / lengths
    return normalised
