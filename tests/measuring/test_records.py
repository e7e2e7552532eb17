import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from explorer.measuring.module import measure_module
from explorer.measuring.records import load_module_measures
from explorer.methods.srae import SraeSettings
from explorer.training.modules.settings import TrainingSettings
from explorer.training.modules.train import train_module
from explorer.workspace.layout import WorkspaceError
from explorer.workspace.workspace import Workspace

Run = Callable[[Any], Any]
SHORT = TrainingSettings(epochs=1, pretrain_epochs=0, batch_size=32)
SMALL = SraeSettings(widths=(8,))


def test_measures_of_an_earlier_module_are_not_shown(own_workspace: Path, run: Run) -> None:
    opened = Workspace(own_workspace)
    category = opened.dataset.categories[2]
    entry, other = (
        run(train_module(opened, category, SMALL, replace(SHORT, seed=seed))) for seed in (0, 1)
    )
    measuring = measure_module(opened, entry)
    next(measuring)
    own = entry.path.read_bytes()
    entry.path.write_bytes(other.path.read_bytes())  # trained again while it is measured
    run(measuring)
    assert load_module_measures(opened, entry) is None
    entry.path.write_bytes(own)
    measured = load_module_measures(opened, entry)
    assert measured is not None
    assert measured.weights_sha256 == opened.load_record(entry).weights_sha256 != ""


def test_damaged_metrics_are_named(own_workspace: Path) -> None:
    opened = Workspace(own_workspace)
    (entry,) = opened.list_modules()
    metrics = json.loads(entry.metrics_path.read_text())
    del metrics["train"]
    entry.metrics_path.write_text(json.dumps(metrics))
    with pytest.raises(WorkspaceError, match=r"metrics\.json is damaged.*'train'.*evaluate"):
        load_module_measures(opened, entry)


def test_metrics_of_earlier_versions_lack_only_the_new_measures(own_workspace: Path) -> None:
    opened = Workspace(own_workspace)
    (entry,) = opened.list_modules()
    current = load_module_measures(opened, entry)
    metrics = json.loads(entry.metrics_path.read_text())
    del metrics["concepts"], metrics["names"], metrics["heats"], metrics["firing"]
    entry.metrics_path.write_text(json.dumps(metrics))
    assert current is not None
    assert current.concepts is not None
    assert load_module_measures(opened, entry) == replace(
        current, concepts=None, names=(), heats=(), firing=()
    )


@pytest.mark.parametrize("key", ["names", "heats", "firing"])
def test_measures_of_another_module_are_refused(own_workspace: Path, key: str) -> None:
    opened = Workspace(own_workspace)
    (entry,) = opened.list_modules()
    metrics = json.loads(entry.metrics_path.read_text())
    metrics[key].pop()
    entry.metrics_path.write_text(json.dumps(metrics))
    with pytest.raises(WorkspaceError, match="numbers of x-features differ"):
        load_module_measures(opened, entry)
