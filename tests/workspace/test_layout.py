import json
from pathlib import Path
from typing import Any

import pytest

from explorer.nn.settings import ModuleSettings
from explorer.training.modules.settings import TrainingSettings
from explorer.workspace.layout import (
    WorkspaceError,
    WorkspaceSettings,
    format_run,
    get_module_entry,
    list_module_entries,
    load_settings,
    name_run,
    read_json,
    save_settings,
    write_json,
)

SETTINGS = WorkspaceSettings("../birds", z_layer="fc7", held_out="last:3", half=True)


def change(folder: Path, **fields: Any) -> None:
    """Write settings with some fields replaced; None removes one."""
    save_settings(folder, SETTINGS)
    file = folder / "workspace.json"
    content = {**json.loads(file.read_text()), **fields}
    file.write_text(json.dumps({k: v for k, v in content.items() if v is not None}))


def test_settings_round_trip(tmp_path: Path) -> None:
    save_settings(tmp_path, SETTINGS)
    assert load_settings(tmp_path) == SETTINGS


def test_fields_left_out_take_their_defaults(tmp_path: Path) -> None:
    (tmp_path / "workspace.json").write_text('{"schema_version": 1, "dataset": "birds"}')
    assert load_settings(tmp_path) == WorkspaceSettings("birds")


def test_folder_without_settings_is_no_workspace(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match=r"not a workspace.*python -m explorer new"):
        load_settings(tmp_path)


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b"[]", b"null", b'"text"'])
def test_corrupt_settings_are_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "workspace.json").write_bytes(data)
    with pytest.raises(WorkspaceError, match=r"workspace\.json"):
        load_settings(tmp_path)


@pytest.mark.parametrize(
    "fields",
    [
        {"dataset": None},
        {"dataset": 3},
        {"half": "yes"},
        {"half": 1},
        {"colour": "red"},
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


def test_modules_are_listed_by_category_and_run(tmp_path: Path) -> None:
    assert list_module_entries(tmp_path) == ()
    wanted = [("002.B", "nn-k5-s0"), ("001.A", "srae-k5-s1"), ("001.A", "srae-k5-s0")]
    for category, run in wanted:
        entry = get_module_entry(tmp_path, category, run)
        entry.path.parent.mkdir(parents=True)
        entry.path.touch()
    (tmp_path / "modules" / "003.Empty" / "run").mkdir(parents=True)
    (tmp_path / "modules" / "note.txt").touch()
    entries = list_module_entries(tmp_path)
    assert [(entry.category, entry.run) for entry in entries] == sorted(wanted)
    assert entries[0] == get_module_entry(tmp_path, "001.A", "srae-k5-s0")
    assert entries[0].metrics_path == entries[0].path.parent / "metrics.json"


def test_json_round_trip_keeps_unicode_readable(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"ŷ": [1.5, None, True]})
    assert read_json(tmp_path / "a.json") == {"ŷ": [1.5, None, True]}
    assert "ŷ" in (tmp_path / "a.json").read_text(encoding="utf-8")


def test_nan_is_never_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"loss": float("nan")})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("module", "training", "name", "words"),
    [
        ({}, {}, "srae-k5-s0", "SRAE, 5 x-features, seed 0"),
        (
            {"method": "nn", "x_features": 8},
            {"seed": 12},
            "nn-k8-s12",
            "NN, 8 x-features, seed 12",
        ),
        (
            {"beta": 3.0, "widths": (800, 100)},
            {},
            "srae-k5-s0-widths800x100-beta3.0",
            "SRAE, 5 x-features, seed 0, widths 800x100, beta 3.0",
        ),
        (
            {"pull_away": 0.5},
            {"learning_rate": 1e-5, "pretrain_epochs": 0},
            "srae-k5-s0-pull_away0.5-pretrain_epochs0-learning_rate1e-05",
            "SRAE, 5 x-features, seed 0, pull away 0.5, pretrain epochs 0, learning rate 1e-05",
        ),
    ],
)
def test_runs_are_named_by_what_is_not_default(
    module: dict[str, Any], training: dict[str, Any], name: str, words: str
) -> None:
    assert name_run(ModuleSettings(**module), TrainingSettings(**training)) == name
    assert format_run(name) == words


@pytest.mark.parametrize("run", ["", "my own run", "srae", "srae-k5", "SRAE-k5-s0"])
def test_runs_that_a_user_named_keep_their_name(run: str) -> None:
    assert format_run(run) == run
