from pathlib import Path

import pytest
from steps import run_steps
from workspaces import make_tiny_workspace

from explorer.config import CUB_ROOT_VARIABLE
from explorer.measuring.classifier import measure_classifier
from explorer.workspace.workspace import Workspace


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small workspace in which everything is measured. Read only."""
    path = make_tiny_workspace(tmp_path_factory.mktemp("finished") / "tiny", measured=2)
    run_steps(measure_classifier(Workspace(path)))
    return path


@pytest.fixture(autouse=True)
def _no_other_photos(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, state_folder: Path) -> None:
    monkeypatch.delenv(CUB_ROOT_VARIABLE, raising=False)
    monkeypatch.setattr("explorer.data.photo_folders.get_cache_folder", lambda: tmp_path / "none")
