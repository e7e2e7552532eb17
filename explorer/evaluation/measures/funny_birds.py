"""The checks of FunnyBirds that apply to x-features on painted birds.

Hesse et al., "FunnyBirds: A Synthetic Vision Dataset for a Part-Based Analysis of Explainable AI
Methods" (ICCV 2023), section 4. Unlike there, parts are not removed but painted grey, since a bird
without a part would be unlike anything the network was trained on. Each check has a single fixed
threshold instead of an average over many.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from explorer.analysis.agreement import compute_rank_agreement
from explorer.analysis.parts import compute_importance, select_important
from explorer.analysis.table import Column, Section
from explorer.data.painted.truth import NEUTRAL_PARTS, get_region_parts
from explorer.evaluation.heat import PhotoHeat, draw_heat
from explorer.evaluation.interventions import (
    Interventions,
    Repainted,
    Scores,
    compute_contributions,
)
from explorer.evaluation.measures import titles
from explorer.evaluation.measures.base import Measure, Subject, mean_of_defined
from explorer.evaluation.records import Measures
from explorer.methods.base import Source

if TYPE_CHECKING:  # see `explorer.evaluation.measures.base`
    from explorer.evaluation.case import Case

Array = NDArray[np.float32]

_SMALL_CHANGE = 0.05


def measure_funny_birds(subject: Subject) -> Measures:
    """Measure the checks of FunnyBirds; all in [0, 1] except for the number of parts.

    Empty if birds are not painted, or if the method's activations do not add up to a score.

    Returns
    -------
    dict
        The importance of a region is Σ vₙEₙ times the share of x-feature n's map on it.

        - ``single_deletion``: (1 + ρ) / 2, where ρ is the rank correlation between the importance
          of a region and the decrease of ŷ when it is painted grey; 0.5 by chance.
        - ``preservation_check``: share of photos on which the network's decision stays the same
          when all but the important regions are grey. Important are the fewest regions that
          together have half of the positive importance; ``important_parts`` is their mean number.
        - ``deletion_check``: share of photos on which the decision changes when the important
          regions are grey.
        - ``distractibility``: share of photos on which a leaf that is added far from the bird, and
          changes ŷ by less than 5 %, gets less of the map than its share of the area.
        - ``target_sensitivity``: share of photos on which the telling parts are more important in
          the explanation of the bird's category than in that of its relative.
        - ``background_independence``: share of other backdrops on which ŷ decreases by less than
          5 %. It depends only on the network.
    """
    case, source, interventions = subject.case, subject.source, subject.interventions
    if interventions is None or source.v is None:
        return {}
    repainted = [interventions.repaint(photo) for photo in case.test_photos]
    importance = [
        _measure_importance(case, source, heat, one.photo)
        for heat, one in zip(subject.heats, repainted, strict=True)
    ]
    drops = [_get_score(case, one.photo) - _get_score(case, one.backdrops) for one in repainted]
    limits = [_SMALL_CHANGE * abs(_get_score(case, one.photo)[0]) for one in repainted]
    independent = [drop < limit for drop, limit in zip(drops, limits, strict=True)]
    return {
        "single_deletion": mean_of_defined(
            _check_single_deletion(case, regions, one)
            for regions, one in zip(importance, repainted, strict=True)
        ),
        **_check_important(case, importance, repainted, interventions),
        "distractibility": mean_of_defined(_check_distraction(subject, one) for one in repainted),
        "target_sensitivity": _check_target(subject, importance, repainted, interventions),
        "background_independence": float(np.mean(independent)),
    }


def _measure_importance(
    case: "Case", source: Source, heat: PhotoHeat, photo: Scores
) -> dict[str, float]:
    """Compute the importance of each region on a photo, in units of the logit."""
    contributions = compute_contributions(source, photo)[0]
    by_part = compute_importance(heat.histogram.values, contributions)
    names = case.workspace.dataset.part_names
    return {
        region: float(sum(by_part[names.index(part)] for part in get_region_parts(region)))
        for region in NEUTRAL_PARTS
    }


def _check_single_deletion(
    case: "Case", importance: Mapping[str, float], one: Repainted
) -> float | None:
    falls = [
        float(_get_score(case, one.photo)[0] - _get_score(case, scores)[0])
        for scores in one.greyed.values()
    ]
    rank = compute_rank_agreement([importance[region] for region in one.greyed], falls)
    return None if rank is None else (1 + rank) / 2


def _check_important(
    case: "Case",
    importance: Sequence[Mapping[str, float]],
    repainted: Sequence[Repainted],
    interventions: Interventions,
) -> Measures:
    kept, removed, counts = [], [], []
    for photo, regions, one in zip(case.test_photos, importance, repainted, strict=True):
        important = select_important(regions)
        others = [region for region in NEUTRAL_PARTS if region not in important]
        images = [interventions.grey_out(photo, names) for names in (others, important)]
        decisions = interventions.score(images).logits.argmax(axis=1)
        before = one.photo.logits[0].argmax()
        kept.append(bool(decisions[0] == before))
        removed.append(bool(decisions[1] != before))
        counts.append(len(important))
    return {
        "preservation_check": float(np.mean(kept)),
        "deletion_check": float(np.mean(removed)),
        "important_parts": float(np.mean(counts)),
    }


def _check_distraction(subject: Subject, one: Repainted) -> float | None:
    """Return whether the map avoids an irrelevant object; None if the object is relevant."""
    case, source = subject.case, subject.source
    before, after = (_get_score(case, scores)[0] for scores in (one.photo, one.distracted_scores))
    if abs(before - after) >= _SMALL_CHANGE * abs(before):
        return None
    maps = source.draw(one.distracted, subject.stop)
    weights = np.maximum(compute_contributions(source, one.distracted_scores)[0], 0)
    covered = _compute_coverage(one.distractor, (maps.shape[1], maps.shape[2]))
    mass = maps.sum(axis=(1, 2))
    weights = np.where(mass > 0, weights, 0)
    if weights.sum() == 0:
        return None
    shares = (maps * covered).sum(axis=(1, 2)) / np.where(mass > 0, mass, 1)
    return float(shares @ weights / weights.sum() < covered.mean())


def _compute_coverage(mask: NDArray[np.bool_], grid: tuple[int, int]) -> Array:
    """Compute the share of each cell of a grid (h, w) that a mask (H, W) covers."""
    height, width = mask.shape
    rows, columns = (
        np.arange(n) * cells // n for n, cells in ((height, grid[0]), (width, grid[1]))
    )
    covered = np.zeros(grid, np.float32)
    np.add.at(covered, np.ix_(rows, columns), mask.astype(np.float32))
    counts = np.outer(np.bincount(rows, minlength=grid[0]), np.bincount(columns, minlength=grid[1]))
    return np.divide(covered, np.maximum(counts, 1), dtype=np.float32)


def _check_target(
    subject: Subject,
    importance: Sequence[Mapping[str, float]],
    repainted: Sequence[Repainted],
    interventions: Interventions,
) -> float | None:
    case, is_higher = subject.case, []
    for relative in interventions.relatives:
        rival = subject.rivals.get(relative.name)
        if rival is None:
            continue
        telling = [
            region
            for region in NEUTRAL_PARTS
            if get_region_parts(region) & set(relative.telling_parts)
        ]
        for photo, regions, one in zip(case.test_photos, importance, repainted, strict=True):
            heat = draw_heat(case.workspace, rival.draw, photo, subject.stop)
            others = _measure_importance(case, rival, heat, one.photo)
            is_higher.append(sum(regions[r] for r in telling) > sum(others[r] for r in telling))
    return float(np.mean(is_higher)) if is_higher else None


def _get_score(case: "Case", scores: Scores) -> Array:
    return scores.logits[:, case.index]


MEASURE = Measure(
    measure_funny_birds,
    (
        Section(
            titles.FUNNY_BIRDS,
            (
                Column("single_deletion", "single deletion", ".2f", better="high"),
                Column("preservation_check", "preservation", ".2f", better="high"),
                Column("deletion_check", "deletion", ".2f", better="high"),
                Column("important_parts", "parts kept", ".1f"),
                Column("distractibility", "distractibility", ".2f", better="high"),
                Column("target_sensitivity", "target sensitivity", ".2f", better="high"),
                Column("background_independence", "background independence", ".2f"),
            ),
            "After Hesse et al., *FunnyBirds* (ICCV 2023), but with parts painted grey instead of "
            "removed, and a single threshold. *Single deletion*: does the order of the parts' "
            "importance agree with the decrease of ŷ when each is grey (0.5 is chance)? "
            "*Preservation* and *deletion*: does the decision stay when all but the important "
            "parts are grey, and change when only these are? *Distractibility*: does the heat "
            "avoid an irrelevant leaf? *Target sensitivity*: are the telling parts more important "
            "for the category than for its relative? *Background independence* depends only on the "
            "network. *Parts kept* is the mean number of important parts. All others are from 0 to "
            "1, and 1 is best.",
        ),
    ),
)
