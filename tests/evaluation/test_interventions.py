from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from explorer.data.painted.truth import NEUTRAL_PARTS, get_region_parts, load_truth
from explorer.data.photo import load_photo
from explorer.evaluation import funny_birds
from explorer.evaluation.case import Case
from explorer.evaluation.edit_test import measure_edit
from explorer.evaluation.funny_birds import measure_funny_birds
from explorer.evaluation.interventions import Interventions, Repainted, Scores
from explorer.evaluation.maps import PhotoHeat, measure_maps
from explorer.measuring.parts import load_parts
from explorer.methods.base import Source
from explorer.workspace.workspace import Workspace

Run = Callable[[Any], Any]
FINCH = "001.Ember_capped_Finch"  # told from its relative by its crown


@pytest.fixture(scope="module")
def workspace(tiny_workspace: Path) -> Workspace:
    return Workspace(tiny_workspace)


@pytest.fixture
def case(workspace: Workspace, run: Run) -> Case:
    return Case(workspace, run(workspace.networks.compute_features()), FINCH, seed=0)


@pytest.fixture(scope="module")
def interventions(workspace: Workspace) -> Interventions:
    truth = load_truth(workspace.dataset.root)
    assert truth is not None
    return Interventions(workspace, FINCH, truth)


def make_heats(case: Case, *part_sets: Sequence[str]) -> list[PhotoHeat]:
    """Make maps that lie evenly on given parts and nowhere else."""
    names = case.workspace.dataset.part_names
    heats = []
    for photo in case.test_photos:
        parts = load_parts(photo)
        labels = parts.label((64, 64))
        maps = np.stack(
            [np.isin(labels, [names.index(name) for name in chosen]) for chosen in part_sets]
        ).astype(np.float32)
        highest = [names.index(chosen[0]) for chosen in part_sets]
        heats.append(PhotoHeat(parts, maps, parts.measure(maps), np.array(highest)))
    return heats


def make_source(case: Case, *columns: Callable[[np.ndarray], np.ndarray]) -> Source:
    """Make x-features that are functions of the category's own logit."""

    def activate(_: np.ndarray, logits: np.ndarray) -> np.ndarray:
        score = logits[:, case.index]
        return np.stack([column(score) for column in columns], axis=1)

    def draw(_: np.ndarray) -> np.ndarray:
        return np.ones((len(columns), 8, 8), np.float32)

    return Source(draw, activate, np.ones(len(columns)))


def same(score: np.ndarray) -> np.ndarray:
    return score


def constant(score: np.ndarray) -> np.ndarray:
    return np.ones_like(score)


def test_the_unchanged_picture_is_the_photo_itself(
    case: Case, interventions: Interventions
) -> None:
    for photo in case.test_photos:
        one = interventions.repaint(photo)
        row = case.features.get_rows([photo.image_id])
        np.testing.assert_allclose(one.photo.logits, case.features.logits[row], atol=1e-4)
        assert interventions.repaint(photo) is one, "painted once"
        assert set(one.greyed) <= set(NEUTRAL_PARTS)
        assert "crown" in one.greyed
        assert len(one.backdrops.logits) == 2
        assert one.distractor.shape == load_photo(photo).shape[:2]


def test_the_x_feature_that_changes_is_the_pointer_only_if_it_looks_there(
    case: Case, interventions: Interventions
) -> None:
    live = np.array([True, True])
    heats = make_heats(case, ["crown"], ["tail"])
    fall = measure_edit(case, make_source(case, same, constant), heats, live, interventions)
    size = fall["edit_score"]
    assert size is not None
    assert size != 0
    assert fall["edit_pointer"] == (1.0 if size > 0 else 0.0)
    assert fall["edit_rank"] == pytest.approx(np.sign(size))
    assert fall["edit_uniform"] == 0.5
    assert fall["edit_error"] is None, "no module says what should happen"
    swapped = make_source(case, constant, same)
    blind = measure_edit(case, swapped, heats, live, interventions)
    assert blind["edit_pointer"] == 0
    assert blind["edit_rank"] == pytest.approx(-np.sign(size))


def test_a_single_x_feature_has_nobody_to_be_compared_with(
    case: Case, interventions: Interventions
) -> None:
    heats = make_heats(case, ["crown"])
    found = measure_edit(case, make_source(case, same), heats, np.array([True]), interventions)
    assert found["edit_pointer"] is found["edit_rank"] is found["edit_uniform"] is None


def make_repainted(case: Case, falls: dict[str, float], **changes: Any) -> Repainted:
    def score(value: float) -> Scores:
        logits = np.zeros((1, len(case.workspace.dataset.categories)), np.float32)
        logits[0, case.index] = value
        return Scores(np.zeros((1, 3), np.float32), logits)

    whole = score(10.0)
    made = Repainted(
        photo=whole,
        relatives={},
        greyed={region: score(10.0 - fall) for region, fall in falls.items()},
        backdrops=whole,
        distracted=np.zeros((3, 64, 64), np.float32),
        distractor=np.zeros((64, 64), bool),
        distracted_scores=whole,
    )
    return replace(made, **changes)


def test_single_deletion_asks_for_the_same_order(case: Case) -> None:
    one = make_repainted(case, {"crown": 3.0, "tail": 2.0, "beak": 1.0})
    check = funny_birds._check_single_deletion
    assert check(case, {"crown": 5.0, "tail": 1.0, "beak": 0.5}, one) == 1.0
    assert check(case, {"crown": 0.5, "tail": 1.0, "beak": 5.0}, one) == 0.0
    assert check(case, {"crown": 1.0, "tail": 1.0, "beak": 1.0}, one) is None


def test_an_object_that_draws_heat_distracts(case: Case) -> None:
    corner = np.zeros((64, 64), bool)
    corner[:16, :16] = True
    one = make_repainted(case, {}, distractor=corner)
    even = make_source(case, same)

    def draw_corner(_: np.ndarray) -> np.ndarray:
        maps = np.zeros((1, 8, 8), np.float32)
        maps[0, 0, 0] = 1
        return maps

    def draw_elsewhere(_: np.ndarray) -> np.ndarray:
        return np.ones((1, 8, 8), np.float32) - draw_corner(_)

    check = funny_birds._check_distraction
    assert check(case, replace(even, draw=draw_corner), one) == 0.0
    assert check(case, replace(even, draw=draw_elsewhere), one) == 1.0
    moved = Scores(one.photo.z, 0.5 * one.photo.logits)
    assert check(case, even, replace(one, distracted_scores=moved)) is None, "it does matter"


def test_covering_a_grid_keeps_the_area() -> None:
    mask = np.zeros((64, 64), bool)
    mask[5:23, 40:61] = True
    for grid in ((64, 64), (8, 8), (7, 5)):
        covered = funny_birds._cover(mask, grid)
        assert covered.shape == grid
        assert ((covered >= 0) & (covered <= 1)).all()
    np.testing.assert_array_equal(funny_birds._cover(mask, (64, 64)), mask)
    assert funny_birds._cover(mask, (8, 8)).mean() == pytest.approx(mask.mean())


def test_funny_birds_prefers_the_explanation_that_looks_at_the_mark(
    case: Case, interventions: Interventions
) -> None:
    """The same x-feature, once on the crown, once on the tail; the relative's is on the tail."""
    source = make_source(case, lambda score: np.abs(score) + 1)
    rivals = {relative.name: source for relative in interventions.relatives}
    on_crown = measure_funny_birds(case, source, rivals, make_heats(case, ["crown"]), interventions)
    on_tail = measure_funny_birds(case, source, rivals, make_heats(case, ["tail"]), interventions)
    assert on_crown["important_parts"] == on_tail["important_parts"] == 1
    assert on_crown["target_sensitivity"] == 1, "the rival's even map has less heat on the crown"
    assert on_tail["target_sensitivity"] == 0
    assert on_crown["background_independence"] == on_tail["background_independence"]
    for name in ("preservation_check", "deletion_check", "distractibility"):
        value = on_crown[name]
        assert value is None or 0 <= value <= 1


def test_maps_on_the_telling_part_are_seen_there(case: Case) -> None:
    heats = make_heats(case, ["crown"], ["tail"])
    names = case.workspace.dataset.part_names
    found = measure_maps(heats, np.array([True, True]), names, frozenset({"crown"}))
    assert found["telling_share"] == pytest.approx(0.5)
    assert found["pointing_telling"] == pytest.approx(0.5)
    assert found["pointing_box"] == 1
    assert found["outside"] == pytest.approx(0)
    assert found["locality"] == pytest.approx(0)
    alone = measure_maps(heats, np.array([True, False]), names, frozenset({"crown"}))
    assert alone["telling_share"] == alone["pointing_crown"] == 1, "dead ones do not count"
    assert get_region_parts("crown") == {"crown"}
