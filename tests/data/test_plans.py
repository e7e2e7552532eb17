"""The sets of painted categories, and the marks that tell them apart."""

import itertools
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from explorer.config import ExplorerError
from explorer.data.cub import load_cub
from explorer.data.painted.crossed import CROSSED, CROSSED_OTHERS, MARKS, OTHER_MARKS, Marks
from explorer.data.painted.dataset import PaintedSettings, find_scene, paint_dataset
from explorer.data.painted.pairs import PAIRS
from explorer.data.painted.plans import DEFAULT_PLAN, PLANS
from explorer.data.painted.relatives import Mark, find_differing_traits, find_nearest_relatives
from explorer.data.painted.traits import PART_NAMES, TRAIT_PARTS, BirdTraits
from explorer.data.painted.truth import PaintedTruth, load_truth
from explorer.data.photo import load_photo

SMALL = PaintedSettings(
    photos_per_category=2, test_photos_per_category=1, size=64, supersampling=1, plan="crossed"
)
FIRST = "001.Citrine_Moonbar_Tanager"
Design = tuple[Mapping[str, BirdTraits], Marks]


@pytest.fixture(scope="module")
def crossed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("crossed") / "birds"
    for _ in paint_dataset(root, SMALL):
        pass
    return root


def load(root: Path) -> PaintedTruth:
    truth = load_truth(root)
    assert truth is not None
    return truth


@pytest.fixture(params=["crossed", "crossed-others"])
def design(request: pytest.FixtureRequest) -> Design:
    """Return the categories of a crossed design, and its marks."""
    return PLANS[request.param], MARKS if request.param == "crossed" else OTHER_MARKS


def list_levels(design: Design) -> np.ndarray:
    """List the value (0 or 1) of each mark, (categories, marks)."""
    categories, marks = design
    return np.array(
        [
            [values.index(getattr(traits, mark)) for mark, values in marks.items()]
            for traits in categories.values()
        ]
    )


def test_every_combination_of_marks_occurs_once(design: Design) -> None:
    levels = list_levels(design)
    assert levels.shape == (16, 4)
    assert len(np.unique(levels, axis=0)) == 16


def test_no_mark_tells_a_category_and_none_can_be_left_out(design: Design) -> None:
    levels = list_levels(design)
    assert (levels.sum(axis=0) == 8).all(), "each value is shared by half of the categories"
    for mark in range(4):
        others = np.delete(levels, mark, axis=1)
        assert len(np.unique(others, axis=0)) == 8, "without it, each has a double"


def test_crossed_categories_differ_in_their_marks_alone(design: Design) -> None:
    categories, marks = design
    for one, other in itertools.combinations(categories.values(), 2):
        assert set(find_differing_traits(one, other)) <= set(marks)
    for name in categories:
        relatives = find_nearest_relatives(name, categories)
        assert sorted(relative.differing_traits for relative in relatives) == sorted(
            (mark,) for mark in marks
        )


def test_no_two_marks_are_on_the_same_part(design: Design) -> None:
    parts = [part for mark in design[1] for part in TRAIT_PARTS[mark]]
    assert len(parts) == len(set(parts))


def test_the_two_crossed_designs_share_no_mark_but_the_wing() -> None:
    parts = [{part for mark in one for part in TRAIT_PARTS[mark]} for one in (MARKS, OTHER_MARKS)]
    assert parts[0] & parts[1] == {"left wing", "right wing"}
    assert not set(CROSSED) & set(CROSSED_OTHERS)


@pytest.mark.parametrize("place", [0, 5, 10, 15])
def test_no_mark_is_hidden_in_a_photo(design: Design, place: int) -> None:
    categories, marks = design
    name = list(categories)[place]
    plan = next(plan for plan, found in PLANS.items() if found is categories)
    for photo in range(4):
        _, painted = find_scene(name, replace(SMALL, plan=plan), photo)
        shown = {part for part, seen in zip(PART_NAMES, painted.visible, strict=True) if seen}
        assert all(shown & set(TRAIT_PARTS[mark]) for mark in marks)


def test_each_mark_is_repainted_alone(crossed: Path) -> None:
    truth, photo = load(crossed), load_cub(crossed).photos_of(FIRST)[0]
    assert truth.settings == SMALL
    assert [(mark.trait, *mark.others) for mark in truth.list_marks(FIRST)] == [
        ("crown", "azure"),
        ("breast", "plum"),
        ("wing_bar", "patch"),
        ("tail", "seafoam"),
    ]
    before = load_photo(photo)
    changed = []
    for mark in truth.list_marks(FIRST):
        assert mark.parts == TRAIT_PARTS[mark.trait]
        after = truth.repaint(photo, **{mark.trait: mark.others[0]})
        changed.append(np.abs(before.astype(int) - after).max(axis=2) > 60)
        assert 0 < changed[-1].mean() < 0.1, mark
    assert (np.sum(changed, axis=0) > 1).mean() < 0.005, "marks hardly overlap"


def test_marks_of_pairs_are_what_tells_the_two(painted_root: Path) -> None:
    truth = load(painted_root)
    assert truth.settings.plan == "pairs"
    assert truth.list_marks("001.Ember_capped_Finch") == (Mark("crown", ("crown",), ("azure",)),)
    assert truth.list_marks("011.Coral_billed_Shrike") == (
        Mark("belly", ("belly",), ("lemon",)),
        Mark("beak", ("beak",), ("ink",)),
    )


def test_data_sets_that_name_no_plan_are_pairs(painted_root: Path, tmp_path: Path) -> None:
    stored = json.loads((painted_root / "traits.json").read_text())
    del stored["settings"]["plan"]
    (tmp_path / "traits.json").write_text(json.dumps(stored))
    assert load(tmp_path).settings == load(painted_root).settings


@pytest.mark.parametrize("change", [{"name": "099.Nobody"}, {"differing_traits": ["hat"]}])
def test_relatives_that_cannot_be_are_damage(
    painted_root: Path, tmp_path: Path, change: dict[str, object]
) -> None:
    stored = json.loads((painted_root / "traits.json").read_text())
    stored["categories"][0]["nearest_relatives"][0] |= change
    (tmp_path / "traits.json").write_text(json.dumps(stored))
    with pytest.raises(ExplorerError, match=r"traits\.json is damaged"):
        load(tmp_path)


def test_plans_are_named_and_distinct() -> None:
    assert DEFAULT_PLAN in PLANS
    assert PLANS["pairs"] is PAIRS
    for categories in PLANS.values():
        described = {tuple(asdict(traits).items()) for traits in categories.values()}
        assert len(described) == len(categories)
