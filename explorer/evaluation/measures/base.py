"""Base of the measures: what is measured, and how a measure is declared."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from explorer.analysis.faithfulness import compute_contributions, compute_live_mask
from explorer.analysis.table import Section
from explorer.data.photo import Photo
from explorer.evaluation.heat import PhotoHeat, draw_heat, find_nonzero_maps, summarise_heat
from explorer.evaluation.interventions import Interventions
from explorer.evaluation.records import Measures
from explorer.measuring.records import LocalityMeasures
from explorer.methods.base import Array, Source
from explorer.nn.explanation import DEFAULT_STOP

if TYPE_CHECKING:  # A case imports torch, which the pages that only list columns do not need.
    from explorer.evaluation.case import Case


@dataclass(frozen=True, eq=False)
class SideScores:
    """The scores of a method on one side of the split.

    Attributes
    ----------
    x_features : NDArray of float32
        (M, K).
    y_bar, y_hat : NDArray of float32
        (M,), the method's and the classifier's score of the category.
    contributions : NDArray of float32
        (M, K), vₙEₙ.
    is_positive : NDArray of bool
        (M,), photos of the category.
    other_logits : NDArray of float32
        (M, C - 1), the classifier's scores of all other categories.
    """

    x_features: Array
    y_bar: Array
    y_hat: Array
    contributions: NDArray[np.floating]
    is_positive: NDArray[np.bool_]
    other_logits: Array


@dataclass(frozen=True, eq=False)
class Subject:
    """A method that was prepared for a case, to be measured.

    Attributes
    ----------
    case : Case
        The category and the seed.
    source : Source
        The method's output for the case.
    heats : sequence of PhotoHeat
        Maps on ``case.test_photos``, in this order.
    rivals : Mapping
        The method's output for some of the category's nearest relatives, by name; empty if unknown.
    interventions : Interventions or None
        Interventions on the category's test photos; None unless birds are painted.
    stop : str
        Layer at which the maps are taken.
    """

    case: "Case"
    source: Source
    heats: Sequence[PhotoHeat]
    rivals: Mapping[str, Source]
    interventions: Interventions | None
    stop: str = DEFAULT_STOP

    @cached_property
    def sides(self) -> dict[str, SideScores]:
        """Scores on the ``train`` and ``test`` photos; empty if the method has no ȳ."""
        if self.source.explain is None:
            return {}
        split = self.case.split
        return {"train": self._score(split.train), "test": self._score(split.test)}

    def _score(self, image_ids: Sequence[int]) -> SideScores:
        case, source = self.case, self.source
        assert source.explain is not None
        assert source.v is not None
        z, y_hat, is_positive = case.select(image_ids)
        x_features, y_bar = source.explain(z)
        logits = case.features.logits[case.features.get_rows(image_ids)]
        return SideScores(
            x_features,
            y_bar,
            y_hat,
            compute_contributions(x_features, source.v),
            is_positive,
            np.delete(logits, case.index, axis=1),
        )

    def get_heat(self, photo: Photo) -> PhotoHeat:
        """Return the maps for any photo; those for other photos than test photos are drawn."""
        for known, heat in zip(self.case.test_photos, self.heats, strict=True):
            if known.image_id == photo.image_id:
                return heat
        return draw_heat(self.case.workspace, self.source.draw, photo, self.stop)

    @cached_property
    def test_contributions(self) -> NDArray[np.floating]:
        """(N, K), vₙEₙ on ``case.test_photos``, in this order, for a method with v."""
        assert self.source.v is not None
        rows = self.case.features.get_rows([photo.image_id for photo in self.case.test_photos])
        features = self.case.features
        activations = self.source.activate(features.z[rows], features.logits[rows])
        return compute_contributions(activations, self.source.v)

    @cached_property
    def live(self) -> NDArray[np.bool_]:
        """(K,), x-features that contribute to any photo, or without ȳ, that have any heat."""
        if not self.sides:
            return find_nonzero_maps(self.heats)
        return compute_live_mask(np.concatenate([s.contributions for s in self.sides.values()]))

    @cached_property
    def summary(self) -> LocalityMeasures:
        """Locality of the maps over the test photos."""
        return summarise_heat(self.heats, self.live)

    @property
    def is_mapped(self) -> NDArray[np.bool_]:
        """(K,), live x-features whose locality is defined."""
        return np.array(self.summary.is_defined) & self.live


@dataclass(frozen=True)
class Measure:
    """A measure of the comparison, or several that are computed together.

    Attributes
    ----------
    measure : callable
        Computes the measures by name; None where one is not defined, and an empty dict if they do
        not apply.
    sections : tuple of Section
        Columns of the tables, and sentences about them. Sections with the same title become one
        table. A measure without a column is in the CSV file only.
    """

    measure: Callable[[Subject], Measures]
    sections: tuple[Section, ...]


def mean_of_defined(values: Iterable[float | None]) -> float | None:
    """Return the mean of the values that are not None; None if there are none."""
    defined = [value for value in values if value is not None]
    return float(np.mean(defined)) if defined else None


def compute_mean(values: NDArray[np.floating] | NDArray[np.bool_]) -> float | None:
    """Return the mean; None of an empty array."""
    return float(values.mean()) if values.size else None
