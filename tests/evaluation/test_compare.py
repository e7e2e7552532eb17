import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from explorer.config import ExplorerError
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
    measured: list[str] = []
    original = compare._measure

    def measure(subject: Any, method: Any) -> dict[str, Any]:
        if len(measured) == 3:
            raise KeyboardInterrupt
        measured.append(method.name)
        return original(subject, method)

    def count(subject: Any, method: Any) -> dict[str, Any]:
        measured.append(method.name)
        return original(subject, method)

    monkeypatch.setattr(compare, "_measure", measure)
    with pytest.raises(KeyboardInterrupt):
        run(compare_methods(workspace, QUICK))
    monkeypatch.setattr(compare, "_measure", count)
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


def test_a_category_that_fails_does_not_stop_the_others(
    own_workspace: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = Workspace(own_workspace)
    settings = replace(QUICK, methods=get_methods("grad-cam"))
    original, failing = compare._measure, []

    def measure(subject: Any, method: Any) -> dict[str, Any]:
        failing.append(subject.case.category)
        if len(failing) == 1:
            raise OSError("No space left on device")
        return original(subject, method)

    monkeypatch.setattr(compare, "_measure", measure)
    with pytest.raises(ExplorerError, match=r"^Not measured:\n.*: No space left on device$") as one:
        run(compare_methods(workspace, settings))
    assert failing[0] in str(one.value)
    assert len(set(failing)) == 2
    assert len(list((own_workspace / "results" / "grad-cam").glob("*.json"))) == 1


def test_maps_of_a_photo_are_drawn_once(
    own_workspace: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The forward pass of a test photo serves all methods, and its maps serve all measures."""
    workspace = Workspace(own_workspace)
    methods = get_methods("pca,excitation-bp")
    drawn: list[tuple[int, str]] = []
    original = compare.draw_heat

    def draw(opened: Workspace, draw_maps: Any, photo: Any, stop: str) -> Any:
        drawn.append((photo.image_id, stop))
        return original(opened, draw_maps, photo, stop)

    monkeypatch.setattr(compare, "draw_heat", draw)
    monkeypatch.setattr("explorer.evaluation.measures.base.draw_heat", draw)
    run(compare_methods(workspace, replace(QUICK, methods=methods, categories=1)))
    assert len(drawn) == len(methods), "the only test photo of the category"
    assert set(drawn) == {(drawn[0][0], "pool3")}
