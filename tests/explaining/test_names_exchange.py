import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from steps import run_steps

from explorer.config import PUBLIC_VARIABLE, ExplorerError, PublicError
from explorer.explaining.atlas import describe_atlas
from explorer.explaining.atlas_files import make_json
from explorer.explaining.names_exchange import (
    OtherNames,
    load_other_names,
    read_other_names,
    take_names,
)
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.notes import get_notes_path, load_notes, save_note
from explorer.workspace.notes_file import MAX_NAME_LENGTH, Note
from explorer.workspace.workspace import Workspace


@pytest.fixture
def workspace(own_workspace: Path) -> Workspace:
    return Workspace(own_workspace)


@pytest.fixture
def entry(workspace: Workspace) -> ModuleEntry:
    (entry,) = workspace.list_modules()
    return entry


def write(entry: ModuleEntry, **notes: Note) -> None:
    """Write notes, given as ``x1=Note(…)``."""
    for name, note in notes.items():
        known = load_notes(entry)
        feature = int(name[1:]) - 1
        base, sha256 = known.get(feature), known.module_sha256
        save_note(entry, feature, note, base=base, module_sha256=sha256)


@pytest.fixture
def read(workspace: Workspace, entry: ModuleEntry) -> Callable[..., OtherNames]:
    """Return a function that reads the names of one module, as somebody else might write them."""

    def read_names(*features: dict[str, Any], **changes: Any) -> OtherNames:
        sha256 = load_notes(entry).module_sha256
        module = {"module_sha256": sha256, "x_features": features} | changes
        content = {"schema_version": 1, "modules": [module]}
        return read_other_names(workspace, json.dumps(content).encode())

    return read_names


def test_names_go_from_one_copy_to_another(
    workspace: Workspace, entry: ModuleEntry, tmp_path: Path
) -> None:
    write(entry, x1=Note("red cap", "seen on males"), x4=Note("", "unsure"))
    file = tmp_path / "theirs.json"
    file.write_bytes(make_json(describe_atlas(workspace, [entry])))
    get_notes_path(entry).unlink()
    names = load_other_names(workspace, file)
    assert names.foreign == 0
    assert [one.kind for one in names.notes] == ["new", "new"]
    assert run_steps(take_names(names)) == 2
    assert load_notes(entry).current == {0: Note("red cap", "seen on males"), 3: Note("", "unsure")}
    assert [one.kind for one in load_other_names(workspace, file).notes] == ["same", "same"]


def test_ones_own_words_are_kept_unless_asked(
    entry: ModuleEntry, read: Callable[..., OtherNames]
) -> None:
    write(entry, x1=Note("my name", ""), x2=Note("", "my text"), x3=Note("both", "agree"))
    names = read(
        {"x_feature": 1, "own_name": "their name", "note": "their text"},
        {"x_feature": 2, "own_name": "their name", "note": "their text"},
        {"x_feature": 3, "own_name": "both"},
        {"x_feature": 4, "note": "their text"},
        {"x_feature": 5, "own_name": None, "note": ""},
    )
    kinds = {one.feature + 1: one.kind for one in names.notes}
    assert kinds == {1: "different", 2: "different", 3: "same", 4: "new"}
    before = dict(load_notes(entry).current)
    assert run_steps(take_names(names)) == 1
    assert load_notes(entry).current == before | {3: Note("", "their text")}
    assert run_steps(take_names(names, replace=True)) == 3
    assert load_notes(entry).current == {
        0: Note("their name", "their text"),
        1: Note("their name", "their text"),
        2: Note("both", "agree"),
        3: Note("", "their text"),
    }


def test_a_text_beside_ones_own_name_is_new(
    entry: ModuleEntry, read: Callable[..., OtherNames]
) -> None:
    write(entry, x1=Note("my name", ""))
    names = read({"x_feature": 1, "note": "their text"})
    assert [one.kind for one in names.notes] == ["new"]
    run_steps(take_names(names))
    assert load_notes(entry).current == {0: Note("my name", "their text")}


def test_names_of_other_modules_and_x_features_are_counted(
    entry: ModuleEntry, read: Callable[..., OtherNames]
) -> None:
    names = read({"x_feature": 6, "own_name": "sixth of five"}, {"x_feature": 5, "own_name": "a"})
    assert (len(names.notes), names.foreign) == (1, 1)
    names = read({"x_feature": 1, "own_name": "a"}, module_sha256="0" * 64)
    assert (names.notes, names.foreign) == ((), 1)
    assert run_steps(take_names(names)) == 0
    assert not get_notes_path(entry).exists()


def test_a_note_that_was_changed_in_the_meantime_is_not_overwritten(
    entry: ModuleEntry, read: Callable[..., OtherNames]
) -> None:
    names = read({"x_feature": 1, "own_name": "theirs"})
    write(entry, x1=Note("mine, just now"))
    with pytest.raises(ExplorerError, match="in the meantime"):
        run_steps(take_names(names))
    assert load_notes(entry).names == {0: "mine, just now"}


@pytest.mark.parametrize(
    ("feature", "message"),
    [
        ({"x_feature": 0}, "x_feature"),
        ({"x_feature": "1"}, "an integer"),
        ({"own_name": "a"}, "x_feature"),
        ({"x_feature": 1, "own_name": 7}, "own_name"),
        ({"x_feature": 1, "own_name": "a" * (MAX_NAME_LENGTH + 1)}, "Shorten it"),
    ],
)
def test_damaged_names_are_refused(
    read: Callable[..., OtherNames], feature: dict[str, Any], message: str
) -> None:
    with pytest.raises(ExplorerError, match=message) as caught:
        read(feature)
    assert "Choose the JSON of an atlas" in str(caught.value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"no JSON", "not an atlas"),
        (b"[1]", "an object"),
        (b'{"schema_version": 0, "modules": []}', "no format 0"),
        (b'{"schema_version": 2, "modules": "of the future"}', "Update the explorer"),
        (b'{"modules": []}', "schema_version"),
        (b'{"schema_version": 1, "modules": [{"module_sha256": "x", "x_features": []}]}', "sha"),
    ],
)
def test_other_files_are_refused(workspace: Workspace, data: bytes, message: str) -> None:
    with pytest.raises(ExplorerError, match=message):
        read_other_names(workspace, data)


def test_damaged_notes_of_ones_own_are_not_touched(
    entry: ModuleEntry, read: Callable[..., OtherNames]
) -> None:
    get_notes_path(entry).write_text("{")
    # The hash does not depend on the notes, but `read` asks for it with them.
    with pytest.raises(ExplorerError, match="are damaged"):
        read({"x_feature": 1, "own_name": "a"})
    assert get_notes_path(entry).read_text() == "{"


def test_a_public_server_refuses(
    entry: ModuleEntry, read: Callable[..., OtherNames], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = read({"x_feature": 1, "own_name": "a"})
    monkeypatch.setenv(PUBLIC_VARIABLE, "1")
    with pytest.raises(PublicError):
        run_steps(take_names(names))
    assert not get_notes_path(entry).exists()
