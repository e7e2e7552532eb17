"""Whether a photo is one that a classifier can be asked about at all.

A classifier names one of its categories whatever it is shown. Two figures tell how far its answer
is to be believed, each compared with the same figure of the held-out photos, which the classifier
has not learnt from but which do show its categories:

- *likeness*, the highest cosine between the photo's Z and that of any photo the classifier was
  trained on. Low: nothing like it has been seen.
- *certainty*, the highest softmax. Low: it could be one category as well as another.

A figure is low where fewer than 5 % of the held-out photos have one as low; by construction about
one good photo in twenty is doubted on either ground.

Notes
-----
The nearest neighbour as a sign of strangeness is that of Sun et al., "Out-of-Distribution Detection
with Deep Nearest Neighbors" (ICML 2022, arXiv 2204.06507), with cosines for distances and k = 1.
Share of pictures that are doubted by the demo's network (``tests/test_doubt_on_demo.py``):

=================================  ========  =========  ======
pictures                           likeness  certainty  either
=================================  ========  =========  ======
painted birds, held out            4 %       4 %        6 %
photos of real birds               83 %      42 %       86 %
noise                              100 %     0 %        100 %
blurred noise                      99 %      80 %       99 %
one colour going over to another   56 %      42 %       66 %
plain grey                         13 %      35 %       35 %
painted birds, all greyed          45 %      48 %       54 %
the bird painted out               1 %       4 %        4 %
=================================  ========  =========  ======

Likeness finds most of what is strange; certainty adds birds without their marks. The highest logit
and the energy (logsumexp) grow with a picture's contrast, so that they doubt no noise at all, and
of other pictures about as many as the softmax does; the 5th and the 10th neighbour and Euclidean
distance find less than the first cosine. A weak network finds out much less: one that is right on
48 % of test photos of 40 real categories doubts 86 % of noise, but 19 % of painted birds, 8 % of
its own birds greyed and no plain grey picture. A photo that passes is therefore not proven to show
one of the categories.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import softmax

RARE = 0.05
# A good photo is the lowest of all beside M others once in M + 1 times: too often if M is smaller.
FEWEST_PHOTOS = 20
_MOST_COMPARED = 1000
_BLOCK = 256


@dataclass(frozen=True, eq=False)
class Reference:
    """Figures of held-out photos, to compare a photo with.

    Attributes
    ----------
    likeness, certainty : NDArray of float64
        (M,), in [-1, 1] and [0, 1].
    """

    likeness: NDArray[np.float64]
    certainty: NDArray[np.float64]


@dataclass(frozen=True)
class Judgement:
    """How a photo stands beside the held-out ones.

    Attributes
    ----------
    likeness, certainty : float
        The photo's own figures.
    share_less_like, share_less_certain : float
        Share of held-out photos with a figure as low or lower, in [0, 1].
    photos : int
        How many held-out photos it was compared with.
    """

    likeness: float
    certainty: float
    share_less_like: float
    share_less_certain: float
    photos: int

    @property
    def is_known(self) -> bool:
        """Whether there are photos enough to judge by."""
        return self.photos >= FEWEST_PHOTOS

    @property
    def is_strange(self) -> bool:
        """Whether the photo is unlike what the classifier has seen."""
        return self.is_known and self.share_less_like < RARE

    @property
    def is_torn(self) -> bool:
        """Whether the classifier is unusually unsure between categories."""
        return self.is_known and self.share_less_certain < RARE


def compute_likeness(z: ArrayLike, known: ArrayLike) -> NDArray[np.float64]:
    """Compute how like each photo is to the known ones.

    Parameters
    ----------
    z : array_like, shape (M, S), float
        Z of the photos.
    known : array_like, shape (N, S), float
        Z of the photos that the classifier was trained on; at least one.

    Returns
    -------
    ndarray, shape (M, N), float64
        Cosines, in [-1, 1]; 0 for a Z that is zero everywhere.

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
    """Measure the held-out photos of a data set against its other photos.

    Parameters
    ----------
    z : ndarray, shape (M, S), float32
        Z of all photos; may be memory-mapped.
    logits : ndarray, shape (M, C), float32
        The classifier's scores of all photos.
    is_held_out : ndarray, shape (M,), bool
        Photos that the classifier was not trained on. Of very many, an even choice of at most
        a thousand is taken. Where all or none are held out, the reference is empty.
    """
    rows = np.flatnonzero(is_held_out)
    known = np.asarray(z[~is_held_out])
    if not len(rows) or not len(known):
        return Reference(np.empty(0), np.empty(0))
    rows = rows[:: -(-len(rows) // _MOST_COMPARED)]
    blocks = [rows[start : start + _BLOCK] for start in range(0, len(rows), _BLOCK)]
    likeness = [compute_likeness(z[block], known).max(axis=1) for block in blocks]
    return Reference(np.concatenate(likeness), compute_certainty(logits[rows]))


def judge(likeness: float, certainty: float, reference: Reference) -> Judgement:
    """Compare a photo's figures with those of held-out photos."""
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
