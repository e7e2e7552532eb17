import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from explorer.data.painted.truth import load_truth
from explorer.evaluation import compare
from explorer.evaluation.compare import compare_methods
from explorer.evaluation.settings import EvaluationSettings
from explorer.methods import z
from explorer.methods.registry import get_methods
from explorer.workspace.settings import save_settings
from explorer.workspace.workspace import Workspace

Run = Callable[[Any], Any]
QUICK = EvaluationSettings(
    methods=(
        *get_methods("pca"),
        replace(z.METHOD, dimensions=3),
        *get_methods("excitation-bp,grad-cam"),
    ),
    categories=2,
    stop="pool3",
)


def test_records_contain_what_is_needed_to_repeat_them(own_workspace: Path, run: Run) -> None:
    workspace = Workspace(own_workspace)
    records = run(compare_methods(workspace, QUICK))
    assert [r["method"] for r in records[:4]] == [method.name for method in QUICK.methods]
    pca, single, bp, _ = (record["measures"] for record in records[:4])
    assert pca["r2_train"] > 0
    assert pca["f_reg_test"] > 0
    assert "f_reg_test" not in bp
    assert bp["live_x_features"] == 1
    features = run(workspace.networks.compute_features())
    assert single["live_x_features"] <= min(3, int((features.z.max(axis=0) > 0).sum()))
    shares = ("outside", "telling_share", "telling_area", "pointing_box", "pointing_telling")
    for record in records:
        measures = record["measures"]
        for name in shares:
            assert measures[name] is None or 0 <= measures[name] <= 1, name
        assert 0 < measures["telling_area"] < 1
        assert 0 <= measures["locality"] <= np.log(len(workspace.dataset.part_names))
        is_score = record["method"] != "z"
        assert ("edit_score" in measures) == ("single_deletion" in measures) == is_score
        assert "repeat_map" not in measures, "one seed has no repetition"


def test_modules_of_several_seeds_are_compared(own_workspace: Path, run: Run) -> None:
    settings = EvaluationSettings(
        methods=get_methods("pca,excitation-bp"), categories=1, seeds=(0, 1), stop="pool4"
    )
    records = run(compare_methods(Workspace(own_workspace), settings))
    repeated = {(r["method"], r["seed"]): r["measures"].get("repeat_map") for r in records}
    assert repeated["pca", 0] == repeated["pca", 1]
    assert 0.3 < repeated["pca", 0] <= 1
    assert repeated["excitation-bp", 0] is None, "it has no seed"
    on_disk = json.loads(next((own_workspace / "results" / "pca").glob("*.json")).read_text())
    assert "repeat_map" not in on_disk["measures"], "a record does not depend on other seeds"


def test_an_interrupted_comparison_is_continued(
    own_workspace: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = Workspace(own_workspace)
    measured: list[tuple[str, str]] = []
    original = compare._measure

    def count(case: Any, *rest: Any) -> dict[str, Any]:
        measured.append((case.category, "measured"))
        return original(case, *rest)

    monkeypatch.setattr(compare, "_measure", count)
    steps = compare_methods(workspace, QUICK)
    for progress in steps:
        if progress.stage == "Comparing methods" and progress.done == 3:
            break
    steps.close()
    assert len(measured) == 3
    records = run(compare_methods(workspace, QUICK))
    assert len(measured) == len(records) == 8
    again = run(compare_methods(workspace, QUICK))
    assert len(measured) == 8
    assert again == json.loads(json.dumps(records))


def test_other_settings_are_measured_again(own_workspace: Path, run: Run) -> None:
    workspace = Workspace(own_workspace)
    one = EvaluationSettings(methods=get_methods("excitation-bp"), categories=1, stop="pool3")
    other = EvaluationSettings(methods=get_methods("excitation-bp"), categories=1, stop="pool4")
    first, second = run(compare_methods(workspace, one)), run(compare_methods(workspace, other))
    assert first[0]["key"] != second[0]["key"]


def test_missing_modules_are_trained(own_workspace: Path, run: Run) -> None:
    workspace = Workspace(own_workspace)
    settings = EvaluationSettings(methods=get_methods("nn"), categories=1, seeds=(3,), stop="pool4")
    before = set(workspace.list_modules())
    (record,) = run(compare_methods(workspace, settings))
    trained = set(workspace.list_modules()) - before
    truth = load_truth(workspace.dataset.root)
    assert truth is not None
    relatives = {relative.name for relative in truth.relatives[record["category"]]}
    assert {entry.category for entry in trained} == {record["category"], *relatives}
    assert {entry.run for entry in trained} == {"nn-k5-s3"}
    assert 1 <= record["measures"]["live_x_features"] <= 5


def test_a_module_trained_on_the_test_photos_is_trained_again(
    own_workspace: Path, run: Run
) -> None:
    settings = EvaluationSettings(methods=get_methods("nn"), categories=1, stop="pool4")
    workspace = Workspace(own_workspace)
    (record,) = run(compare_methods(workspace, settings))
    entry = next(e for e in workspace.list_modules() if e.run == "nn-k5-s0")
    before = workspace.load_record(entry).split
    save_settings(own_workspace, replace(workspace.settings, held_out="last:2"))
    other = Workspace(own_workspace)
    (again,) = run(compare_methods(other, settings))
    after = other.load_record(entry).split
    assert record["key"] != again["key"]
    assert before != after
    assert not set(after["train"]) & set(after["test"])
    assert set(after["test"]) <= {photo.image_id for photo in other.held_out}
