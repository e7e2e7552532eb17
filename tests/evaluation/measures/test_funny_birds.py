from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from subjects import make_heats, make_source, make_subject

from explorer.evaluation.case import Case
from explorer.evaluation.interventions import Interventions, Repainted, Scores
from explorer.evaluation.measures import funny_birds
from explorer.evaluation.measures.funny_birds import MEASURE
from explorer.methods.base import Source


def same(score: np.ndarray) -> np.ndarray:
    return score


def make_repainted(painted_case: Case, falls: dict[str, float], **changes: Any) -> Repainted:
    def score(value: float) -> Scores:
        logits = np.zeros((1, len(painted_case.workspace.dataset.categories)), np.float32)
        logits[0, painted_case.index] = value
        return Scores(np.zeros((1, 3), np.float32), logits)

    whole = score(10.0)
    made = Repainted(
        photo=whole,
        marks={},
        greyed={region: score(10.0 - fall) for region, fall in falls.items()},
        backdrops=whole,
        distracted=np.zeros((3, 64, 64), np.float32),
        distractor=np.zeros((64, 64), bool),
        distracted_scores=whole,
    )
    return replace(made, **changes)


def test_single_deletion_compares_the_order_of_parts(painted_case: Case) -> None:
    one = make_repainted(painted_case, {"crown": 3.0, "tail": 2.0, "beak": 1.0})
    check = funny_birds._check_single_deletion
    assert check(painted_case, {"crown": 5.0, "tail": 1.0, "beak": 0.5}, one) == 1.0
    assert check(painted_case, {"crown": 0.5, "tail": 1.0, "beak": 5.0}, one) == 0.0
    assert check(painted_case, {"crown": 1.0, "tail": 1.0, "beak": 1.0}, one) is None


def test_an_added_object_that_attracts_heat_is_a_distractor(painted_case: Case) -> None:
    corner = np.zeros((64, 64), bool)
    corner[:16, :16] = True
    one = make_repainted(painted_case, {}, distractor=corner)
    even = make_source(painted_case, same)

    def draw_corner(*_: Any) -> np.ndarray:
        maps = np.zeros((1, 8, 8), np.float32)
        maps[0, 0, 0] = 1
        return maps

    def draw_elsewhere(*_: Any) -> np.ndarray:
        return np.ones((1, 8, 8), np.float32) - draw_corner()

    def check(source: Source, one: Repainted) -> float | None:
        return funny_birds._check_distraction(make_subject(painted_case, source, []), one)

    assert check(replace(even, draw=draw_corner), one) == 0.0
    assert check(replace(even, draw=draw_elsewhere), one) == 1.0
    moved = Scores(one.photo.z, 0.5 * one.photo.logits)
    assert check(even, replace(one, distracted_scores=moved)) is None, "it does matter"


def test_coverage_of_a_grid_keeps_the_area() -> None:
    mask = np.zeros((64, 64), bool)
    mask[5:23, 40:61] = True
    for grid in ((64, 64), (8, 8), (7, 5)):
        covered = funny_birds._compute_coverage(mask, grid)
        assert covered.shape == grid
        assert ((covered >= 0) & (covered <= 1)).all()
    np.testing.assert_array_equal(funny_birds._compute_coverage(mask, (64, 64)), mask)
    assert funny_birds._compute_coverage(mask, (8, 8)).mean() == pytest.approx(mask.mean())


def test_funny_birds_prefers_the_explanation_on_the_mark(
    painted_case: Case, interventions: Interventions
) -> None:
    """The same x-feature on the crown or on the tail; that of the relative is on the tail."""
    source = make_source(painted_case, lambda score: np.abs(score) + 1)
    rivals = {relative.name: source for relative in interventions.relatives}

    def measure(parts: list[str]) -> dict[str, float | None]:
        heats = make_heats(painted_case, parts)
        return MEASURE.measure(make_subject(painted_case, source, heats, interventions, rivals))

    on_crown = measure(["crown"])
    on_tail = measure(["tail"])
    assert on_crown["important_parts"] == on_tail["important_parts"] == 1
    assert on_crown["target_sensitivity"] == 1, (
        "the uniform map of the rival has less heat on the crown"
    )
    assert on_tail["target_sensitivity"] == 0
    assert on_crown["background_independence"] == on_tail["background_independence"]
    for name in ("preservation_check", "deletion_check", "distractibility"):
        value = on_crown[name]
        assert value is None or 0 <= value <= 1
