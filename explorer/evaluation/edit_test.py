"""The edit test: repaint the very mark that tells a category from its relative."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from explorer.analysis.agreement import compute_rank_agreement
from explorer.analysis.parts import compute_pointer_share
from explorer.evaluation.case import Case
from explorer.evaluation.interventions import (
    Interventions,
    Scores,
    compute_contributions,
    join_scores,
)
from explorer.evaluation.maps import PhotoHeat, summarise_heat
from explorer.evaluation.records import Measures
from explorer.evaluation.scores import mean_of_defined
from explorer.methods.base import Source
from explorer.nn.srae import apply_module


def measure_edit(
    case: Case,
    source: Source,
    heats: Sequence[PhotoHeat],
    live: NDArray[np.bool_],
    interventions: Interventions,
) -> Measures:
    """Repaint only the telling mark as the relative's, and see what falls.

    Parameters
    ----------
    case, source
        What is measured; the source's activations make up a score.
    heats : sequence of PhotoHeat
        The method's maps on ``case.test_photos``, in this order.
    live : NDArray of bool
        (K,).
    interventions : Interventions
        Of the same category.

    Returns
    -------
    dict
        ``edit_score``, the mean fall of ŷ. ``edit_error``, mean |Δȳ − Δŷ| over mean |Δŷ|, None
        without a module. With two live x-features or more also ``edit_pointer`` (see
        `compute_pointer_share`), ``edit_uniform``, what an even share would be, and ``edit_rank``,
        the rank correlation over live x-features of the share of heat on the telling parts with
        the fall of the mean contribution.
    """
    shares = np.array(summarise_heat(heats, live).histogram)[live]
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
        falls = (contributions[0] - contributions[1]).mean(axis=0)[live]
        telling = [part_names.index(part) for part in relative.telling_parts]
        on_telling = shares[:, telling].sum(axis=1)
        if len(falls) > 1:
            pointers.append(compute_pointer_share(on_telling, falls))
            ranks.append(compute_rank_agreement(on_telling, falls))
    fall, modelled = np.concatenate(falls_hat), np.concatenate(falls_bar)
    size = np.abs(fall).mean()
    is_modelled = source.module is not None and size > 0
    return {
        "edit_score": float(fall.mean()),
        "edit_error": float(np.abs(modelled - fall).mean() / size) if is_modelled else None,
        "edit_pointer": mean_of_defined(pointers),
        "edit_uniform": 1.0 / len(shares) if pointers else None,
        "edit_rank": mean_of_defined(ranks),
    }


def _compute_score(source: Source, scores: Scores) -> NDArray[np.floating]:
    """Return ȳ, or the sum of contributions where no module computes one."""
    if source.module is not None:
        return apply_module(source.module, scores.z)[1]
    score: NDArray[np.floating] = compute_contributions(source, scores).sum(axis=1)
    return score
