import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from explorer.config import ExplorerError
from explorer.storage.json_records import FileError
from explorer.workspace.layout import WorkspaceError
from explorer.workspace.workspace import Workspace

Run = Callable[[Any], Any]


def change_settings(folder: Path, **fields: Any) -> None:
    file = folder / "workspace.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **fields}))


def test_workspace_can_be_moved(own_workspace: Path, tmp_path: Path, run: Run) -> None:
    moved = Workspace(Path(shutil.move(own_workspace, tmp_path / "elsewhere")))
    assert len(moved.dataset.photos) == 72
    (entry,) = moved.list_modules()
    moved.networks.load_module(entry)
    assert list(moved.networks.compute_features()) == [], "features are still valid"


def test_missing_data_set_is_named(own_workspace: Path) -> None:
    shutil.rmtree(own_workspace / "birds")
    opened = Workspace(own_workspace)
    with pytest.raises(ExplorerError, match="birds"):
        opened.dataset  # noqa: B018


def test_corrupt_settings_are_named(own_workspace: Path) -> None:
    (own_workspace / "workspace.json").write_text("{")
    with pytest.raises(FileError, match=r"workspace\.json cannot be read"):
        Workspace(own_workspace)


def test_future_format_is_refused(own_workspace: Path) -> None:
    change_settings(own_workspace, schema_version=99)
    with pytest.raises(WorkspaceError, match="Update the explorer"):
        Workspace(own_workspace)


def test_modules_of_unknown_categories_are_ignored(own_workspace: Path) -> None:
    known = own_workspace / "modules"
    (first,) = known.iterdir()
    shutil.copytree(first, known / "999.Nobody")
    assert [e.category for e in Workspace(own_workspace).list_modules()] == [first.name]
