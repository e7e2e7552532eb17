import csv
import json
from pathlib import Path

import pytest
from commands import Call, make_call

from explorer.workspace.layout import list_module_entries
from explorer.workspace.notes import get_notes_path, load_notes, save_note
from explorer.workspace.notes_file import Note


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    call_plainly = make_call(monkeypatch, capsys, "atlas")

    def run(*arguments: object) -> tuple[int, str, str]:
        status, out, err = call_plainly(*arguments)
        return status, out, " ".join(err.split())

    return run


def test_json_and_table_are_written(own_workspace: Path, tmp_path: Path, call: Call) -> None:
    status, out, _ = call(own_workspace, "--json", "--csv", tmp_path / "atlas.csv")
    assert status == 0
    (module,) = json.loads(out)["modules"]
    assert len(module["x_features"]) == 5
    with (tmp_path / "atlas.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["x_feature"] for row in rows] == ["1", "2", "3", "4", "5"]
    contributions = [one["mean_contribution"] for one in module["x_features"]]
    assert [float(row["mean_contribution"]) for row in rows] == contributions


def test_names_are_imported_and_ones_own_kept(
    own_workspace: Path, tmp_path: Path, call: Call
) -> None:
    (entry,) = list_module_entries(own_workspace)
    sha256 = load_notes(entry).module_sha256
    for feature, name in enumerate(("red cap", "tail")):
        save_note(entry, feature, Note(name), base=Note(), module_sha256=sha256)
    theirs = tmp_path / "theirs.json"
    theirs.write_text(call(own_workspace, "--json")[1])
    get_notes_path(entry).unlink()
    save_note(entry, 0, Note("my [name]"), base=Note(), module_sha256=sha256)
    status, out, _ = call(own_workspace, "--import", theirs)
    assert status == 0
    assert "1 note stored, 0 already there, 0 of other modules." in out
    assert "x-feature 1: yours “my [name]”, theirs “red cap”" in out
    assert load_notes(entry).names == {0: "my [name]", 1: "tail"}
    _, out, _ = call(own_workspace, "--import", theirs, "--replace")
    assert "1 note stored, 1 already there" in out
    assert load_notes(entry).names == {0: "red cap", 1: "tail"}


def test_what_cannot_be_done_is_said(own_workspace: Path, tmp_path: Path, call: Call) -> None:
    status, _, err = call(own_workspace)
    assert (status, "--json, --csv FILE or --import FILE" in err) == (1, True)
    status, _, err = call(own_workspace, "--json", "--import", tmp_path / "a.json")
    assert (status, "Import names first" in err) == (1, True)
    status, _, err = call(own_workspace, "--import", tmp_path / "a.json")
    assert (status, "a.json cannot be read" in err) == (1, True)
