"""The answer of a classifier for one photo, and how far it can be trusted.

The page *Your photo* and the command ``explain`` both show what `make_answer` returns.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from explorer.analysis.calibration import compute_softmax
from explorer.analysis.conformal import find_sets
from explorer.analysis.doubt import (
    Judgement,
    compute_certainty,
    compute_resemblance,
    judge,
)
from explorer.analysis.trust import Count, Trust, fit_trust
from explorer.measuring.references import References
from explorer.methods.runs import get_default_modules
from explorer.workspace.layout import ModuleEntry


@dataclass(frozen=True, eq=False)
class Standard:
    """What photos are compared with: the references, and what was fitted on them.

    Attributes
    ----------
    references : References
        Outputs of the classifier for the photos of the data set.
    trust : Trust or None
        None if there are too few held-out photos to judge anything.
    """

    references: References
    trust: Trust | None


@dataclass(frozen=True, eq=False)
class Answer:
    """What a classifier says of a photo, and how far it can be trusted.

    Attributes
    ----------
    categories : tuple of str
        (C,), as in ``classes.txt``.
    z : NDArray of float32
        (S_z,), >= 0.
    pooled : NDArray of float32
        (P,), mean over positions of the last map.
    logits : NDArray of float32
        (C,), signed: the scores ŷ before softmax.
    probabilities : NDArray of float64
        (C,), in [0, 1]: calibrated if `judgement` is not None, else plain softmax.
    order : tuple of int
        Indices of the categories, the most probable first.
    judgement : Judgement or None
        Level of the photo; None if there are too few held-out photos to compare with.
    likely : tuple of int
        Indices of the categories in the set, the most probable first; empty without a judgement.
    at_certainty, when_named : Count or None
        How often the classifier is right on test photos with a similar certainty, and on those for
        which it names the same category; None without a judgement.
    certainty_range : tuple of float
        Lowest and highest certainty of the test photos of `at_certainty`.
    """

    categories: tuple[str, ...]
    z: NDArray[np.float32]
    pooled: NDArray[np.float32]
    logits: NDArray[np.float32]
    probabilities: NDArray[np.float64]
    order: tuple[int, ...]
    judgement: Judgement | None = None
    likely: tuple[int, ...] = ()
    at_certainty: Count | None = None
    certainty_range: tuple[float, float] = (0.0, 1.0)
    when_named: Count | None = None

    @property
    def first(self) -> str:
        """The most probable category."""
        return self.categories[self.order[0]]

    @property
    def ranked(self) -> tuple[str, ...]:
        """All categories, the most probable first."""
        return tuple(self.categories[index] for index in self.order)

    @property
    def certainty(self) -> float:
        """Probability of the most probable category, in [0, 1]."""
        return float(self.probabilities[self.order[0]])


def make_standard(references: References) -> Standard:
    """Fit what a verdict needs on the references."""
    trust = fit_trust(
        references.image_ids,
        references.labels,
        references.logits,
        references.sampled,
        references.resemblance,
    )
    return Standard(references, trust)


def make_answer(
    categories: Sequence[str],
    z: NDArray[np.float32],
    logits: NDArray[np.float32],
    pooled: NDArray[np.float32],
    standard: Standard | None,
) -> Answer:
    """Judge what a classifier says of a photo.

    Parameters
    ----------
    categories : sequence of str
        C names, in the order of the logits.
    z, logits, pooled : NDArray of float32
        (S_z,), (C,) and (P,): Z, scores and the mean of the last map for the photo.
    standard : Standard or None
        From `make_standard`; None for an answer that is not judged.
    """
    plain = Answer(
        categories=tuple(categories),
        z=z,
        pooled=pooled,
        logits=logits,
        probabilities=compute_softmax(logits),
        order=tuple(np.argsort(-logits, kind="stable").tolist()),
    )
    if standard is None or standard.trust is None:
        return plain
    resemblance = compute_resemblance(pooled[np.newaxis], standard.references.means)[0]
    return _judge(plain, float(resemblance), standard.trust)


def _judge(plain: Answer, resemblance: float, trust: Trust) -> Answer:
    probabilities = compute_softmax(plain.logits, trust.temperature)
    certainty = float(compute_certainty(plain.logits[np.newaxis])[0])
    members = find_sets(probabilities[np.newaxis], trust.threshold)[0]
    tested = trust.tested.after
    place = tested.find_bin(float(probabilities.max()))
    return replace(
        plain,
        probabilities=probabilities,
        judgement=judge(resemblance, certainty, trust.reference),
        likely=tuple(index for index in plain.order if members[index]),
        at_certainty=Count(int(tested.right[place]), int(tested.counts[place])),
        certainty_range=(float(tested.edges[place]), float(tested.edges[place + 1])),
        when_named=trust.named[plain.order[0]],
    )


def choose_module(order: Sequence[str], entries: Iterable[ModuleEntry]) -> ModuleEntry | None:
    """Return the module that explains a photo by default.

    Parameters
    ----------
    order : sequence of str
        Categories, the most probable first.
    entries : iterable of ModuleEntry
        The modules that there are.

    Returns
    -------
    ModuleEntry or None
        The default module of the first category that has one.
    """
    usual = get_default_modules(entries)
    return next((usual[category] for category in order if category in usual), None)
