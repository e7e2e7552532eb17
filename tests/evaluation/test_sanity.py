import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from explorer.config import ExplorerError
from explorer.evaluation.sanity import check_sanity
from explorer.evaluation.sanity_results import CONDITIONS, write_sanity
from explorer.evaluation.settings import EvaluationSettings
from explorer.methods.registry import get_methods
from explorer.workspace.workspace import Workspace

Run = Callable[[Any], Any]


def test_all_networks_are_compared_and_built_only_once(own_workspace: Path, run: Run) -> None:
    settings = EvaluationSettings(
        methods=get_methods("pca,excitation-bp"), categories=1, stop="pool4"
    )
    workspace = Workspace(own_workspace)
    records = run(check_sanity(workspace, settings, epochs=1))
    assert [record["condition"] for record in records] == [c for c in CONDITIONS for _ in range(2)]
    networks = {
        condition: Workspace(own_workspace / "sanity" / condition)
        for condition in ("random-weights", "random-labels")
    }
    hashes = {other.networks.backbone.sha256 for other in (*networks.values(), workspace)}
    assert len(hashes) == 3
    labels = networks["random-labels"].networks.classifier_report["settings"]
    assert labels["random_labels"]
    for record in records:
        is_compared = record["condition"] != "trained" and record["method"] == "pca"
        assert ("similar_map" in record["measures"]) == is_compared

    again = run(check_sanity(Workspace(own_workspace), settings, epochs=1))
    assert again == records
    assert {Workspace(other.path).networks.backbone.sha256 for other in networks.values()} < hashes

    tidy, table = write_sanity(own_workspace, records)
    with tidy.open(encoding="utf-8", newline="") as file:
        methods = {row["method"] for row in csv.DictReader(file)}
    assert methods == {f"{name}@{c}" for name in ("pca", "excitation-bp") for c in CONDITIONS}
    assert "| PCA probe, random labels |" in table.read_text()


def test_an_empty_comparison_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ExplorerError, match="Nothing was compared"):
        write_sanity(tmp_path, [])
