"""Methods to be measured whose maps and activations are known."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from explorer.evaluation.case import Case
from explorer.evaluation.heat import PhotoHeat
from explorer.evaluation.interventions import Interventions
from explorer.evaluation.measures.base import Subject
from explorer.measuring.parts import load_parts
from explorer.methods.base import Source


def make_heats(case: Case, *part_sets: Sequence[str]) -> list[PhotoHeat]:
    """Make maps that are constant on the given parts and zero elsewhere."""
    names = case.workspace.dataset.part_names
    heats = []
    for photo in case.test_photos:
        parts = load_parts(photo)
        labels = parts.label((64, 64))
        maps = np.stack(
            [np.isin(labels, [names.index(name) for name in chosen]) for chosen in part_sets]
        ).astype(np.float32)
        highest = [names.index(chosen[0]) if chosen else -1 for chosen in part_sets]
        heats.append(PhotoHeat(parts, maps, parts.measure(maps), np.array(highest)))
    return heats


def make_source(case: Case, *columns: Callable[[np.ndarray], np.ndarray]) -> Source:
    """Make x-features that are functions of the category's own logit."""

    def activate(_: np.ndarray, logits: np.ndarray) -> np.ndarray:
        score = logits[:, case.index]
        return np.stack([column(score) for column in columns], axis=1)

    def draw(_: np.ndarray, stop: str) -> np.ndarray:
        return np.ones((len(columns), 8, 8), np.float32)

    return Source(draw, activate, np.ones(len(columns)))


def make_subject(
    case: Case,
    source: Source,
    heats: Sequence[PhotoHeat],
    interventions: Interventions | None = None,
    rivals: Mapping[str, Source] | None = None,
) -> Subject:
    """Make a subject, by default of a data set without relatives."""
    return Subject(case, source, heats, rivals or {}, interventions)
