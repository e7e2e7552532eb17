import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from explorer.config import ExplorerError
from explorer.evaluation.compare import compare_methods
from explorer.evaluation.results import write_results
from explorer.evaluation.settings import EvaluationSettings
from explorer.methods.registry import get_methods
from explorer.workspace.workspace import Workspace

Run = Callable[[Any], Any]
QUICK = EvaluationSettings(
    methods=get_methods("excitation-bp,grad-cam"), categories=2, stop="pool3"
)


def test_file_and_table_contain_the_same_numbers(own_workspace: Path, run: Run) -> None:
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
    assert locality == pytest.approx(
        [
            record["measures"]["locality"]
            for record in records
            if record["method"] == "excitation-bp"
        ],
        rel=1e-5,
    )
    line = next(line for line in table.read_text().splitlines() if "ExcitationBP" in line)
    assert f"{np.mean(locality):.3f}" in line


def test_results_can_be_given_a_name_but_not_a_path(own_workspace: Path, run: Run) -> None:
    workspace = Workspace(own_workspace)
    records = run(compare_methods(workspace, QUICK))
    tidy, table = write_results(workspace.path, records, "search")
    assert (tidy.name, table.name) == ("search.csv", "search.md")
    with pytest.raises(ExplorerError, match="not a valid name for results"):
        write_results(workspace.path, records, "../outside")
