"""The edit test: repainting each mark alone that tells a category from its nearest relatives."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explorer.analysis.marks import (
    compute_mark_agreement,
    compute_own_shares,
    compute_pointer_share,
    count_owned_marks,
)
from explorer.analysis.table import Column, Section
from explorer.evaluation.interventions import (
    Repainted,
    Scores,
    compute_contributions,
    join_scores,
)
from explorer.evaluation.measures import titles
from explorer.evaluation.measures.base import Measure, Subject
from explorer.evaluation.records import Measures
from explorer.methods.base import Source

Changes = dict[str, tuple[Scores, Scores]]
"""By mark: outputs before and after it is changed, M = photos times other values of the mark."""


@dataclass(frozen=True, eq=False)
class MarkMatrix:
    """What K live x-features show of M marks, and what they lose with them; means over photos.

    Attributes
    ----------
    heat : NDArray of float64
        (K, M), share of each x-feature's map in the cells of each mark's parts, in [0, 1].
    falls : NDArray of float64
        (K, M), decrease of each contribution when the mark alone is changed, in units of the logit;
        negative for an increase.
    """

    heat: NDArray[np.float64]
    falls: NDArray[np.float64]


def measure_edit(subject: Subject) -> Measures:
    """Repaint each mark alone as the relatives', and measure the decrease of the scores.

    Returns
    -------
    dict
        ``edit_marks``, the number of marks. ``edit_score``, the mean decrease of ŷ, and
        ``edit_score_<mark>``, that for each mark. ``edit_error``, mean |Δȳ − Δŷ| over mean |Δŷ|;
        None for a method without ȳ. ``edit_rank``, the rank correlation over all live x-features
        and marks between the share of the map on the mark and the decrease of the mean
        contribution. With at least two live x-features, ``edit_pointer`` (see
        `compute_pointer_share`); ``edit_uniform``, its value for equal shares; ``edit_matched``,
        the mean of `compute_own_shares`; and ``edit_owned`` (see `count_owned_marks`). Empty if
        birds are not painted, or if the method's activations do not add up to a score.
    """
    source = subject.source
    if subject.interventions is None or source.v is None:
        return {}
    changes = _list_changes(subject)
    falls = {
        mark: (before.logits - after.logits)[:, subject.case.index]
        for mark, (before, after) in changes.items()
    }
    matrix = compute_mark_matrix(subject)
    return {
        "edit_marks": float(len(falls)),
        "edit_score": float(np.mean([fall.mean() for fall in falls.values()])),
        "edit_error": _compute_error(source, changes, np.concatenate(list(falls.values()))),
        "edit_rank": compute_mark_agreement(matrix.heat, matrix.falls),
        **(_measure_concepts(matrix) if len(matrix.falls) > 1 else {}),
        **{f"edit_score_{mark}": float(fall.mean()) for mark, fall in falls.items()},
    }


def compute_mark_matrix(subject: Subject) -> MarkMatrix:
    """Compute heat and falls on the test photos.

    For painted birds, and a method whose activations add up to a score.
    """
    assert subject.interventions is not None
    part_names = subject.case.workspace.dataset.part_names
    histogram = np.array(subject.summary.histogram)[subject.live]
    heat = [
        histogram[:, [part_names.index(part) for part in mark.parts]].sum(axis=1)
        for mark in subject.interventions.marks
    ]
    falls = []
    for scores in _list_changes(subject).values():
        before, after = (compute_contributions(subject.source, one) for one in scores)
        falls.append((before - after).mean(axis=0)[subject.live])
    return MarkMatrix(np.stack(heat, axis=1), np.stack(falls, axis=1))


def _list_changes(subject: Subject) -> Changes:
    assert subject.interventions is not None
    interventions = subject.interventions
    repainted = [interventions.repaint(photo) for photo in subject.case.test_photos]
    return {mark.trait: _join_outputs(repainted, mark.trait) for mark in interventions.marks}


def _join_outputs(repainted: Sequence[Repainted], trait: str) -> tuple[Scores, Scores]:
    after = [one.marks[trait] for one in repainted]
    before = [one.photo for one in repainted for _ in one.marks[trait].z]
    return join_scores(before), join_scores(after)


def _compute_error(source: Source, changes: Changes, falls: NDArray[np.floating]) -> float | None:
    """Compute the mean |Δȳ − Δŷ| over mean |Δŷ|; None without ȳ, or if ŷ stays the same."""
    size = np.abs(falls).mean()
    if source.explain is None or size == 0:
        return None
    modelled = [
        source.explain(before.z)[1] - source.explain(after.z)[1]
        for before, after in changes.values()
    ]
    return float(np.abs(np.concatenate(modelled) - falls).mean() / size)


def _measure_concepts(matrix: MarkMatrix) -> Measures:
    """Measure whether several x-features share the marks among them."""
    return {
        "edit_pointer": compute_pointer_share(matrix.heat, matrix.falls),
        "edit_uniform": 1.0 / len(matrix.falls),
        "edit_matched": float(compute_own_shares(matrix.falls).mean()),
        "edit_owned": float(count_owned_marks(matrix.falls)),
    }


MEASURE = Measure(
    measure_edit,
    (
        Section(
            titles.KNOWN_PARTS,
            (
                Column("edit_score", "edit: fall of ŷ", ".2f"),
                Column("edit_error", "edit: error of ȳ", ".0%", better="low"),
                Column("edit_pointer", "edit: pointer's share", ".0%", better="high"),
                Column("edit_uniform", "even share", ".0%"),
                Column("edit_rank", "edit: rank ρ", ".2f", better="high"),
                Column("edit_matched", "edit: own share", ".0%", better="high"),
                Column("edit_owned", "edit: owned marks", ".1f", better="high"),
                Column("edit_marks", "marks", ".1f"),
            ),
            "*Edit*: each mark that tells the category from its nearest relatives is repainted as "
            "theirs, one at a time. The *pointer* is the x-feature with the most heat on the mark, "
            "and its share is that of all changes in contributions. *Rank ρ* is the correlation, "
            "over all x-features and marks, between heat on the mark and the decrease of the "
            "contribution. For the *own share*, x-features and marks are paired one to one: it is "
            "the x-feature's share of the changes, 100% if each mark has an x-feature of its own. "
            "*Owned* marks are those of which this share is more than half.",
        ),
    ),
)
