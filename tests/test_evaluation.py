import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from explorer import evaluation
from explorer.config import ExplorerError
from explorer.evaluation import (
    EvaluationSettings,
    compare_methods,
    draw_categories,
    write_results,
)
from explorer.layout import save_settings
from explorer.methods import METHODS, get_methods
from explorer.workspace import Workspace

Run = Callable[[Any], Any]
QUICK = EvaluationSettings(
    methods=("pca", "z", "excitation-bp", "grad-cam"), categories=2, z_dimensions=3, stop="pool3"
)


def test_categories_are_drawn_once_and_kept_in_order() -> None:
    names = [f"{n:03d}" for n in range(40)]
    drawn = draw_categories(names, 30, seed=0)
    assert list(drawn) == sorted(set(drawn))
    assert len(drawn) == 30
    assert draw_categories(names, 30, seed=0) == drawn
    assert draw_categories(names, 30, seed=1) != drawn
    assert draw_categories(names, 0, seed=0) == tuple(names)
    with pytest.raises(ExplorerError, match="only 40"):
        draw_categories(names, 41, seed=0)


def test_methods_are_chosen_by_name() -> None:
    assert [method.name for method in get_methods("nn, srae,nn")] == ["nn", "srae"]
    assert get_methods("all") == tuple(METHODS.values())
    with pytest.raises(ExplorerError, match=r"'lime'.*srae"):
        get_methods("srae,lime")


def test_records_say_what_can_be_computed_again(own_workspace: Path, run: Run) -> None:
    workspace = Workspace(own_workspace)
    records = run(compare_methods(workspace, QUICK))
    assert [(r["method"], r["seed"]) for r in records[:4]] == [(m, 0) for m in QUICK.methods]
    features = run(workspace.compute_features())
    pca = records[0]
    assert set(pca["faithfulness"]) == {"train", "test"}
    assert pca["faithfulness"]["train"]["r2"] > 0
    for record in records:
        shares = [value for value in record["telling_share"] if value is not None]
        assert all(0 <= share <= 1 for share in shares)
        assert 0 < record["telling_area"] < 1
        assert all(
            value is None or 0 <= value <= np.log(len(workspace.dataset.part_names))
            for value in record["locality"]
        )
    bp = records[2]
    index = workspace.dataset.categories.index(bp["category"])
    assert bp["faithfulness"] is None
    assert len(bp["locality"]) == 1
    assert len(records[1]["locality"]) == min(3, int((features.z.max(axis=0) > 0).sum()))
    assert index >= 0


def test_a_second_run_takes_up_where_the_first_was_cut(
    own_workspace: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = Workspace(own_workspace)
    measured: list[tuple[str, str]] = []
    original = evaluation._measure

    def count(case: Any, source: Any) -> dict[str, Any]:
        measured.append((case.category, "measured"))
        return original(case, source)

    monkeypatch.setattr(evaluation, "_measure", count)
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


def test_other_settings_are_measured_anew(own_workspace: Path, run: Run) -> None:
    workspace = Workspace(own_workspace)
    one = EvaluationSettings(methods=("excitation-bp",), categories=1, stop="pool3")
    other = EvaluationSettings(methods=("excitation-bp",), categories=1, stop="pool4")
    first, second = run(compare_methods(workspace, one)), run(compare_methods(workspace, other))
    assert first[0]["key"] != second[0]["key"]


def test_modules_are_trained_where_they_are_missing(own_workspace: Path, run: Run) -> None:
    workspace = Workspace(own_workspace)
    settings = EvaluationSettings(methods=("nn",), categories=1, seeds=(3,), stop="pool4")
    before = set(workspace.list_modules())
    (record,) = run(compare_methods(workspace, settings))
    (entry,) = set(workspace.list_modules()) - before
    assert (entry.category, entry.run) == (record["category"], "nn-k5-s3")
    assert len(record["live"]) == 5


def test_a_module_that_has_seen_the_test_photos_is_trained_anew(
    own_workspace: Path, run: Run
) -> None:
    settings = EvaluationSettings(methods=("nn",), categories=1, stop="pool4")
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


def test_file_and_table_hold_the_same_numbers(own_workspace: Path, run: Run) -> None:
    workspace = Workspace(own_workspace)
    records = run(compare_methods(workspace, QUICK))
    tidy, table = write_results(workspace.path, records)
    with tidy.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    locality = [
        float(row["value"])
        for row in rows
        if row["method"] == "excitation-bp" and row["measure"] == "locality"
    ]
    assert locality == [
        pytest.approx(record["locality"][0])
        for record in records
        if record["method"] == "excitation-bp" and record["locality"][0] is not None
    ]
    line = next(line for line in table.read_text().splitlines() if "ExcitationBP" in line)
    assert f"{np.mean(locality):.3f}" in line
    assert "[2.4934]" in line


@pytest.mark.parametrize(
    "wrong", [{"methods": ()}, {"seeds": ()}, {"z_dimensions": 0}, {"categories": -1}]
)
def test_settings_that_compare_nothing_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ExplorerError, match="at least one method"):
        EvaluationSettings(**wrong)


@pytest.mark.parametrize("wrong", [{"seeds": (0, -1)}, {"draw_seed": -1}, {"seeds": (2**64,)}])
def test_impossible_seeds_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ExplorerError, match="A seed must lie"):
        EvaluationSettings(**wrong)
