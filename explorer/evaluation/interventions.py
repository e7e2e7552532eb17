"""Interventions on painted birds: the classifier's outputs for photos painted with changes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from explorer.analysis import faithfulness
from explorer.data.painted.relatives import Mark, Relative
from explorer.data.painted.truth import NEUTRAL_PARTS, Image8, PaintedTruth
from explorer.data.photo import Photo
from explorer.methods.base import Source
from explorer.workspace.workspace import Workspace

Array = NDArray[np.float32]

_BACKDROPS = (2, 4)


@dataclass(frozen=True, eq=False)
class Scores:
    """Z (M, S_z) and logits (M, C) of M pictures."""

    z: Array
    logits: Array


@dataclass(frozen=True, eq=False)
class Repainted:
    """The classifier's outputs for a photo and its changed versions.

    Attributes
    ----------
    photo : Scores
        Of the photo itself, M = 1.
    marks : Mapping
        Of the photo with one mark alone changed, by its trait; M is the number of other values.
    greyed : Mapping
        Of the photo with each region painted grey, by its name, M = 1; without regions that are
        grey or invisible in the photo.
    backdrops : Scores
        Of the photo with other backdrops.
    distracted : Array
        (3, h, w), network input of the photo with an added object.
    distractor : NDArray of bool
        (H, W), mask of the object.
    distracted_scores : Scores
        Of the photo with the object, M = 1.
    """

    photo: Scores
    marks: Mapping[str, Scores]
    greyed: Mapping[str, Scores]
    backdrops: Scores
    distracted: Array
    distractor: NDArray[np.bool_]
    distracted_scores: Scores


class Interventions:
    """The repainted test photos of a category, each painted on first use.

    Parameters
    ----------
    workspace : Workspace
        A workspace with painted birds.
    category : str
        The category.
    truth : PaintedTruth
        Ground truth of the painted birds.
    """

    def __init__(self, workspace: Workspace, category: str, truth: PaintedTruth) -> None:
        self.workspace = workspace
        self.category = category
        self.truth = truth
        self._repainted: dict[int, Repainted] = {}

    @property
    def relatives(self) -> tuple[Relative, ...]:
        """The category's nearest relatives."""
        return self.truth.relatives[self.category]

    @cached_property
    def marks(self) -> tuple[Mark, ...]:
        """The marks that tell the category from them."""
        return self.truth.list_marks(self.category)

    def repaint(self, photo: Photo) -> Repainted:
        """Return the outputs for all changed versions of a photo."""
        if photo.image_id not in self._repainted:
            self._repainted[photo.image_id] = self._repaint(photo)
        return self._repainted[photo.image_id]

    def _repaint(self, photo: Photo) -> Repainted:
        truth = self.truth
        original = truth.repaint(photo)
        changed = {
            mark.trait: [truth.repaint(photo, **{mark.trait: value}) for value in mark.others]
            for mark in self.marks
        }
        greyed = {
            region: [image]
            for region, changes in NEUTRAL_PARTS.items()
            if not np.array_equal(image := truth.repaint(photo, **changes), original)
        }
        backdrops = [truth.repaint_backdrop(photo, step) for step in _BACKDROPS]
        distracted, mask = truth.repaint_with_distractor(photo)
        scores = self._score_groups(
            [[original], *changed.values(), *greyed.values(), backdrops, [distracted]]
        )
        return Repainted(
            photo=next(scores),
            marks={trait: next(scores) for trait in changed},
            greyed={region: next(scores) for region in greyed},
            backdrops=next(scores),
            distracted=self.workspace.networks.prepare_image(distracted),
            distractor=mask,
            distracted_scores=next(scores),
        )

    def _score_groups(self, groups: Sequence[Sequence[Image8]]) -> Iterator[Scores]:
        """Compute the classifier's outputs for all groups of pictures together."""
        scores = self.score([image for group in groups for image in group])
        ends = np.cumsum([len(group) for group in groups])[:-1]
        for z, logits in zip(np.split(scores.z, ends), np.split(scores.logits, ends), strict=True):
            yield Scores(z, logits)

    def score(self, images: Sequence[Image8]) -> Scores:
        """Compute the classifier's outputs for pictures."""
        pixels = np.stack([self.workspace.networks.prepare_image(image) for image in images])
        return Scores(*self.workspace.networks.compute_scores(pixels))

    def grey_out(self, photo: Photo, regions: Iterable[str]) -> Image8:
        """Paint a photo with some regions in plain grey."""
        changes = {
            trait: value for region in regions for trait, value in NEUTRAL_PARTS[region].items()
        }
        return self.truth.repaint(photo, **changes)


def compute_contributions(source: Source, scores: Scores) -> NDArray[np.float64]:
    """Compute vₙEₙ, (M, K)."""
    if source.v is None:
        raise TypeError("These activations do not add up to a score.")
    return faithfulness.compute_contributions(source.activate(scores.z, scores.logits), source.v)


def join_scores(scores: Sequence[Scores]) -> Scores:
    """Concatenate the outputs for several pictures."""
    return Scores(
        np.concatenate([one.z for one in scores]), np.concatenate([one.logits for one in scores])
    )
