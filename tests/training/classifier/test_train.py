import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from explorer.config import ExplorerError
from explorer.measuring.records import load_module_measures
from explorer.training.classifier.settings import FinetuneSettings
from explorer.training.classifier.train import train_classifier
from explorer.workspace.layout import WorkspaceError
from explorer.workspace.workspace import Workspace

Run = Callable[[Any], Any]


def test_modules_do_not_fit_a_classifier_trained_again(own_workspace: Path, run: Run) -> None:
    opened = Workspace(own_workspace)
    (entry,) = opened.list_modules()
    before = opened.networks.backbone.sha256
    settings = FinetuneSettings(epochs=1, batch_size=60, seed=5)
    with pytest.raises(WorkspaceError, match="already has a classifier"):
        run(train_classifier(opened, settings))
    assert load_module_measures(opened, entry) is not None
    report = run(train_classifier(opened, settings, force=True))
    assert load_module_measures(opened, entry) is None, "measured with another network"
    assert opened.networks.backbone.sha256 == opened.settings.classifier_sha256 != before
    assert opened.networks.classifier_report == json.loads(json.dumps(report))
    assert Workspace(own_workspace).networks.backbone.sha256 == opened.networks.backbone.sha256
    for reader in (opened, Workspace(own_workspace)):
        with pytest.raises(ExplorerError, match="another network"):
            reader.networks.load_module(entry)
