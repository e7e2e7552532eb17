import json
from pathlib import Path
from typing import Any

import pytest

from explorer.storage.json_records import FileError
from explorer.workspace.layout import WorkspaceError
from explorer.workspace.settings import WorkspaceSettings, load_settings, save_settings

SETTINGS = WorkspaceSettings(
    "../birds", z_layer="fc7", held_out="last:3", half=True, identical=((5, 12), (7, 8, 9))
)


def change(folder: Path, **fields: Any) -> None:
    """Write settings with some fields replaced; None removes one."""
    save_settings(folder, SETTINGS)
    file = folder / "workspace.json"
    content = {**json.loads(file.read_text()), **fields}
    file.write_text(json.dumps({k: v for k, v in content.items() if v is not None}))


def test_settings_round_trip(tmp_path: Path) -> None:
    save_settings(tmp_path, SETTINGS)
    assert load_settings(tmp_path) == SETTINGS


def test_omitted_fields_have_their_defaults(tmp_path: Path) -> None:
    (tmp_path / "workspace.json").write_text('{"schema_version": 1, "dataset": "birds"}')
    assert load_settings(tmp_path) == WorkspaceSettings("birds")


def test_folder_without_settings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match=r"not a workspace.*python -m explorer new"):
        load_settings(tmp_path)


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b"[]", b"null", b'"text"'])
def test_corrupt_settings_are_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "workspace.json").write_bytes(data)
    with pytest.raises(FileError, match=r"workspace\.json (cannot be read|is damaged)"):
        load_settings(tmp_path)


@pytest.mark.parametrize(
    "fields",
    [
        {"dataset": None},
        {"dataset": 3},
        {"half": "yes"},
        {"half": 1},
        {"colour": "red"},
        {"identical": [5, 12]},
        {"identical": [[5]]},
        {"identical": [[5, -1]]},
        {"identical": [[5, 10**15]]},
        {"identical": [[5, 1.5]]},
        {"schema_version": None},
        {"schema_version": "1"},
        {"schema_version": True},
        {"z_layer": ["fc6"]},
    ],
)
def test_damaged_settings_are_refused(tmp_path: Path, fields: dict[str, Any]) -> None:
    change(tmp_path, **fields)
    with pytest.raises(WorkspaceError, match="is damaged"):
        load_settings(tmp_path)


def test_future_format_asks_for_an_update(tmp_path: Path) -> None:
    change(tmp_path, schema_version=2, something_new=1)
    with pytest.raises(WorkspaceError, match=r"format 2.*up to 1.*Update the explorer"):
        load_settings(tmp_path)
