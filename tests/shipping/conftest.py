from pathlib import Path

import pytest
from workspaces import make_finished_workspace

from explorer.config import CUB_ROOT_VARIABLE


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small workspace in which everything is measured. Read only."""
    return make_finished_workspace(tmp_path_factory.mktemp("finished") / "tiny")


@pytest.fixture(autouse=True)
def _no_other_photos(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, state_folder: Path) -> None:
    monkeypatch.delenv(CUB_ROOT_VARIABLE, raising=False)
    monkeypatch.setattr("explorer.data.photo_folders.get_cache_folder", lambda: tmp_path / "none")
