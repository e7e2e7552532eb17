"""The edit test: repainting the mark that distinguishes a category from its relative."""

import numpy as np
from numpy.typing import NDArray

from explorer.analysis.agreement import compute_rank_agreement
from explorer.analysis.parts import compute_pointer_share
from explorer.analysis.table import Column, Section
from explorer.evaluation.interventions import Scores, compute_contributions, join_scores
from explorer.evaluation.measures import titles
from explorer.evaluation.measures.base import Measure, Subject, mean_of_defined
from explorer.evaluation.records import Measures
from explorer.methods.base import Source


def measure_edit(subject: Subject) -> Measures:
    """Repaint only the telling mark as the relative's, and measure the decrease of the scores.

    Returns
    -------
    dict
        ``edit_score``, the mean decrease of ŷ. ``edit_error``, mean |Δȳ − Δŷ| over mean |Δŷ|; None
        for a method without ȳ. With at least two live x-features, ``edit_pointer`` (see
        `compute_pointer_share`); ``edit_uniform``, its value for equal shares; and ``edit_rank``,
        the rank correlation over live x-features between the share of the map on the telling parts
        and the decrease of the mean contribution. Empty if birds are not painted, or if the
        method's activations do not add up to a score.
    """
    case, source, interventions = subject.case, subject.source, subject.interventions
    if interventions is None or source.v is None:
        return {}
    shares = np.array(subject.summary.histogram)[subject.live]
    part_names = case.workspace.dataset.part_names
    repainted = [interventions.repaint(photo) for photo in case.test_photos]
    before = join_scores([one.photo for one in repainted])
    falls_hat, falls_bar = [], []
    pointers, ranks = [], []
    for relative in interventions.relatives:
        after = join_scores([one.relatives[relative.name] for one in repainted])
        falls_hat.append((before.logits - after.logits)[:, case.index])
        falls_bar.append(_compute_score(source, before) - _compute_score(source, after))
        contributions = [compute_contributions(source, scores) for scores in (before, after)]
        falls = (contributions[0] - contributions[1]).mean(axis=0)[subject.live]
        telling = [part_names.index(part) for part in relative.telling_parts]
        on_telling = shares[:, telling].sum(axis=1)
        if len(falls) > 1:
            pointers.append(compute_pointer_share(on_telling, falls))
            ranks.append(compute_rank_agreement(on_telling, falls))
    fall, modelled = np.concatenate(falls_hat), np.concatenate(falls_bar)
    size = np.abs(fall).mean()
    is_modelled = source.explain is not None and size > 0
    return {
        "edit_score": float(fall.mean()),
        "edit_error": float(np.abs(modelled - fall).mean() / size) if is_modelled else None,
        "edit_pointer": mean_of_defined(pointers),
        "edit_uniform": 1.0 / len(shares) if pointers else None,
        "edit_rank": mean_of_defined(ranks),
    }


def _compute_score(source: Source, scores: Scores) -> NDArray[np.floating]:
    """Compute ȳ, or the sum of contributions if the method has no ȳ."""
    if source.explain is not None:
        return source.explain(scores.z)[1]
    score: NDArray[np.floating] = compute_contributions(source, scores).sum(axis=1)
    return score


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
            ),
            "*Edit*: only this mark is repainted as the relative's. The *pointer* is the x-feature "
            "with the most heat on it, and its share is that of all changes in contributions. "
            "*Rank ρ* is the correlation between heat on the mark and the decrease of the "
            "contribution.",
        ),
    ),
)
