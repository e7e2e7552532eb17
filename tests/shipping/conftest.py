from pathlib import Path

import pytest
from photos import hide_photos
from steps import run_steps
from workspaces import make_finished_workspace

from explorer.training.parts.settings import PartSettings
from explorer.training.parts.train import train_part_finder
from explorer.workspace.workspace import Workspace


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small workspace in which everything is measured. Read only."""
    path = make_finished_workspace(tmp_path_factory.mktemp("finished") / "tiny")
    settings = PartSettings(width=8, epochs=1, precision="full")
    run_steps(train_part_finder(Workspace(path), settings))
    return path


@pytest.fixture(autouse=True)
def _no_other_photos(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, state_folder: Path) -> None:
    hide_photos(monkeypatch, tmp_path / "none")
