import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from explorer.data.attributes import AttributeTable, load_attributes
from explorer.data.painted.traits import TRAIT_PARTS
from explorer.data.painted.truth import load_truth
from explorer.evaluation import naming
from explorer.evaluation.naming import (
    Causing,
    Telling,
    check_names,
    choose_other_value,
    find_commonest,
    list_named,
)
from explorer.measuring.name_records import FeatureName
from explorer.measuring.scores import ModuleScores, score_photos
from explorer.workspace.workspace import Workspace

Run = Callable[[Any], Any]
UNCLEAR = FeatureName("unclear", "unclear")


def make_attribute(words: str, *parts: str) -> FeatureName:
    return FeatureName("attribute", words, parts=parts, heat=0.5, correlation=0.9, elsewhere=0.9)


def give_names(path: Path, *names: FeatureName) -> Workspace:
    workspace = Workspace(path)
    (entry,) = workspace.list_modules()
    metrics = json.loads(entry.metrics_path.read_text())
    metrics["names"] = [asdict(name) for name in names]
    entry.metrics_path.write_text(json.dumps(metrics))
    return workspace


@pytest.fixture
def highest(own_workspace: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> int:
    """Return the x-feature that adds most to the module's test photo, to which all of them add.

    The network has hardly learnt, so that its own score of the photo can be negative.
    """

    def add_all(*arguments: Any) -> ModuleScores:
        scores = score_photos(*arguments)
        return replace(scores, contributions=np.abs(scores.contributions) + 0.01)

    monkeypatch.setattr(naming, "score_photos", add_all)
    workspace = Workspace(own_workspace)
    (entry,) = workspace.list_modules()
    scores = add_all(workspace, entry, run(workspace.networks.compute_features()))
    test = workspace.load_record(entry).split["test"]
    (row,) = np.flatnonzero(scores.is_positive & np.isin(scores.image_ids, test))
    return int(scores.contributions[row].argmax())


@pytest.mark.parametrize(
    ("words", "telling"),
    [
        ("ember crown", 1),  # no other bird has it
        ("honey beak", 0),  # the finch has none
    ],
)
def test_a_name_tells_if_the_rival_lacks_it(
    own_workspace: Path, run: Run, highest: int, words: str, telling: int
) -> None:
    names = [UNCLEAR] * 5
    names[highest] = make_attribute(words, "crown")
    found, _ = run(check_names(give_names(own_workspace, *names)))
    assert (found.photos, found.named, found.telling) == (1, 1, telling)
    # One value in each of 14 traits is the bird's own.
    assert 0 < found.chance < found.own_chance < 1
    assert found.by_heat in (0, 1)


def test_names_by_part_alone_are_not_counted(own_workspace: Path, run: Run) -> None:
    crown = FeatureName("part", "crown", parts=("crown",), heat=0.5)
    other = make_attribute("tartan crown", "crown")  # of another table
    found, causing = run(check_names(give_names(own_workspace, *[crown] * 4, other)))
    assert found == Telling(photos=1)
    assert causing == Causing()


def test_the_cause_is_the_trait_with_the_largest_fall(
    own_workspace: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    falls = np.zeros((5, len(TRAIT_PARTS)))
    falls[:4, list(TRAIT_PARTS).index("crown")] = 1.0
    falls[:4, list(TRAIT_PARTS).index("belly")] = 0.5
    monkeypatch.setattr(naming, "_measure_falls", lambda *_: falls)
    workspace = give_names(
        own_workspace,
        make_attribute("ember crown", "crown"),
        make_attribute("cream belly", "belly"),
        FeatureName("attribute", "ember crown", is_against=True, parts=("crown",)),
        UNCLEAR,
        make_attribute("ember crown", "crown"),  # nothing lowers it
    )
    _, found = run(check_names(workspace))
    count = len(TRAIT_PARTS)
    # One trait is of the crown, and one of the belly.
    assert found == pytest.approx(Causing(2, 1, 2 / count, 1, 2 / count))


def test_falls_are_those_of_repainted_photos(own_workspace: Path, run: Run) -> None:
    workspace = Workspace(own_workspace)
    (entry,) = workspace.list_modules()
    truth = load_truth(workspace.dataset.root)
    assert truth is not None
    photo = workspace.dataset.photos_of(entry.category)[0]
    falls = naming._measure_falls(workspace, entry, [photo], truth)
    assert falls.shape == (5, len(TRAIT_PARTS))
    images = truth.repaint(photo), truth.repaint(photo, crown="azure")
    assert choose_other_value(truth, entry.category, "crown") == "azure"
    before, after = (workspace.networks.explain(entry, image).contributions for image in images)
    column = falls[:, list(TRAIT_PARTS).index("crown")]
    np.testing.assert_allclose(column, before - after, rtol=1e-2, atol=1e-4)


def test_the_commonest_attribute_of_parts_alone() -> None:
    table = AttributeTable(
        words=("red wings", "blue wings", "red underparts", "large"),
        groups=("wing", "wing", "underparts", "size"),
        parts=(("left wing",), ("left wing",), ("left wing", "belly"), ()),
        shares=np.array([[0.3, 0.6, 0.9, 1.0]]),
    )
    shares = table.shares[0]
    assert find_commonest(table, shares, frozenset({"left wing", "right wing"})) == 1
    assert find_commonest(table, shares, frozenset({"left wing", "belly"})) == 2
    assert find_commonest(table, shares, frozenset({"tail"})) is None


def test_modules_without_names_are_left_out(own_workspace: Path, run: Run) -> None:
    workspace = give_names(own_workspace)
    assert list_named(workspace) == []
    assert run(check_names(workspace)) == (Telling(), Causing())
    assert load_attributes(workspace.dataset) is not None
