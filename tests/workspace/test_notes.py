import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from explorer.config import ExplorerError
from explorer.workspace import notes_file
from explorer.workspace.layout import ModuleEntry, get_module_entry
from explorer.workspace.notes import (
    ConflictError,
    ModuleNotes,
    get_notes_path,
    load_notes,
    save_note,
    set_aside,
)
from explorer.workspace.notes_file import (
    MAX_NAME_LENGTH,
    MAX_TEXT_LENGTH,
    DamagedNotesError,
    Note,
    NotesError,
)

WRITERS, ROUNDS = 4, 8


@pytest.fixture
def entry(tmp_path: Path) -> ModuleEntry:
    entry = get_module_entry(tmp_path, "001.Finch", "srae-k5-s0")
    entry.path.parent.mkdir(parents=True)
    entry.path.write_bytes(b"weights of the first training")
    return entry


def write(entry: ModuleEntry, feature: int, note: Note, base: Note | None = None) -> ModuleNotes:
    found = load_notes(entry)
    base = found.get(feature) if base is None else base
    return save_note(entry, feature, note, base=base, module_sha256=found.module_sha256)


def test_a_new_module_has_no_notes(entry: ModuleEntry) -> None:
    found = load_notes(entry)
    assert (found.current, found.earlier, found.names) == ({}, (), {})
    assert found.get(2) == Note()
    assert not get_notes_path(entry).exists()


def test_notes_round_trip(entry: ModuleEntry) -> None:
    written = write(entry, 2, Note("red cap", "Fires on the cap.\nNot on the tail."))
    assert written == load_notes(entry)
    assert load_notes(entry).get(2) == Note("red cap", "Fires on the cap.\nNot on the tail.")
    write(entry, 0, Note("", "no name yet"))
    assert load_notes(entry).names == {2: "red cap"}
    assert get_notes_path(entry) == entry.path.parent / "notes.json"
    assert [path.name for path in sorted(entry.path.parent.iterdir())] == [
        "module.safetensors",
        "notes.json",
    ]


def test_the_file_counts_x_features_from_1(entry: ModuleEntry) -> None:
    write(entry, 2, Note("cap"))
    content = json.loads(get_notes_path(entry).read_text())
    (group,) = content["modules"].values()
    assert group == {"3": {"name": "cap", "text": ""}}


def test_an_empty_note_is_removed(entry: ModuleEntry) -> None:
    write(entry, 1, Note("cap", "text"))
    write(entry, 1, Note(" ", "\n \n"))
    assert load_notes(entry).current == {}
    assert json.loads(get_notes_path(entry).read_text())["modules"] == {}


def test_a_module_that_replaces_another_has_no_names(entry: ModuleEntry) -> None:
    write(entry, 1, Note("cap"))
    first = entry.path.read_bytes()
    entry.path.write_bytes(b"weights of the second training")
    found = load_notes(entry)
    assert found.current == {}
    assert found.earlier == ({1: Note("cap")},)
    assert load_notes(entry).names == {}

    write(entry, 1, Note("tail"))
    assert load_notes(entry).names == {1: "tail"}
    assert load_notes(entry).earlier == ({1: Note("cap")},)
    entry.path.write_bytes(first)
    assert load_notes(entry).names == {1: "cap"}
    assert load_notes(entry).earlier == ({1: Note("tail")},)


def test_a_note_for_a_replaced_module_is_refused(entry: ModuleEntry) -> None:
    before = load_notes(entry)
    entry.path.write_bytes(b"weights of the second training")
    with pytest.raises(NotesError, match="trained again"):
        save_note(entry, 0, Note("cap"), base=Note(), module_sha256=before.module_sha256)
    assert not get_notes_path(entry).exists()


def test_notes_of_different_x_features_are_merged(entry: ModuleEntry) -> None:
    before = load_notes(entry)
    for feature, name in ((0, "cap"), (1, "tail")):
        save_note(
            entry, feature, Note(name), base=before.get(feature), module_sha256=before.module_sha256
        )
    assert load_notes(entry).names == {0: "cap", 1: "tail"}


def test_changes_of_name_and_text_are_merged(entry: ModuleEntry) -> None:
    base = write(entry, 0, Note("cap", "old")).get(0)
    write(entry, 0, Note("red cap", "old"), base=base)
    write(entry, 0, Note("cap", "new"), base=base)
    assert load_notes(entry).get(0) == Note("red cap", "new")


def test_conflicting_names_are_refused(entry: ModuleEntry) -> None:
    write(entry, 0, Note("cap"), base=Note())
    with pytest.raises(ConflictError) as caught:
        write(entry, 0, Note("tail"), base=Note())
    assert caught.value.theirs == Note("cap")
    assert load_notes(entry).names == {0: "cap"}
    write(entry, 0, Note("tail"), base=caught.value.theirs)
    assert load_notes(entry).names == {0: "tail"}


def test_equal_changes_do_not_conflict(entry: ModuleEntry) -> None:
    write(entry, 0, Note("cap"), base=Note())
    write(entry, 0, Note("cap"), base=Note())
    assert load_notes(entry).names == {0: "cap"}


def write_many(entry: ModuleEntry, first: int) -> None:
    for step in range(ROUNDS):
        write(entry, first + step, Note(f"name {first + step}"))


def expect_all_names(entry: ModuleEntry) -> None:
    assert load_notes(entry).names == {n: f"name {n}" for n in range(WRITERS * ROUNDS)}


def test_threads_lose_no_notes(entry: ModuleEntry) -> None:
    threads = [
        threading.Thread(target=write_many, args=(entry, ROUNDS * n)) for n in range(WRITERS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expect_all_names(entry)


def test_processes_lose_no_notes(entry: ModuleEntry) -> None:
    # A lock between threads would not be enough.
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from explorer.workspace.layout import ModuleEntry\n"
        "from explorer.workspace.notes import load_notes, save_note\n"
        "from explorer.workspace.notes_file import Note\n"
        "entry = ModuleEntry('001.Finch', 'srae-k5-s0', Path(sys.argv[1]))\n"
        "sha = load_notes(entry).module_sha256\n"
        f"for n in range(int(sys.argv[2]), int(sys.argv[2]) + {ROUNDS}):\n"
        "    save_note(entry, n, Note(f'name {n}'), base=Note(), module_sha256=sha)\n"
    )
    writers = [
        subprocess.Popen([sys.executable, "-c", code, str(entry.path), str(ROUNDS * n)])
        for n in range(WRITERS)
    ]
    assert [writer.wait(timeout=60) for writer in writers] == [0] * WRITERS
    expect_all_names(entry)


def test_names_and_notes_that_are_too_long_are_refused(entry: ModuleEntry) -> None:
    write(entry, 0, Note("n" * MAX_NAME_LENGTH, "t" * MAX_TEXT_LENGTH))
    stored = load_notes(entry)
    with pytest.raises(NotesError, match="name has 61 characters; at most 60"):
        write(entry, 0, Note("n" * (MAX_NAME_LENGTH + 1)))
    with pytest.raises(NotesError, match="note has 2,001 characters"):
        write(entry, 0, Note("n", "t" * (MAX_TEXT_LENGTH + 1)))
    assert load_notes(entry) == stored


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("  red \t\n cap ", "red cap"),
        ("a\x00b\x1b[31mc", "ab[31mc"),
        ("abc\u202egnp.exe", "abcgnp.exe"),
        ("broken \ud83d", "broken"),
        ("rouge-gorge 🐦 Ärmchen", "rouge-gorge 🐦 Ärmchen"),
        ("<b>*x* [a](b) `c`", "<b>*x* [a](b) `c`"),
    ],
)
def test_names_are_cleaned(entry: ModuleEntry, typed: str, kept: str) -> None:
    write(entry, 0, Note(typed))
    assert load_notes(entry).names == {0: kept}


def test_texts_keep_their_line_breaks(entry: ModuleEntry) -> None:
    write(entry, 0, Note("", "one\r\ntwo\rthree\x07 \n\n four\tfive\n"))
    assert load_notes(entry).get(0).text == "one\ntwo\nthree\n\n four five"


SHA = "0" * 64
DAMAGES = [
    "",
    "{",
    "[]",
    "null",
    "\x00\x00",
    "[" * 200_000,
    "{}",
    '{"schema_version": 1}',
    '{"schema_version": "1", "modules": {}}',
    '{"schema_version": 1, "modules": []}',
    '{"schema_version": 1, "modules": {"abc": {}}}',
    f'{{"schema_version": 1, "modules": {{"{SHA}": []}}}}',
    f'{{"schema_version": 1, "modules": {{"{SHA}": {{"0": {{"name": "", "text": ""}}}}}}}}',
    f'{{"schema_version": 1, "modules": {{"{SHA}": {{"1": "cap"}}}}}}',
    f'{{"schema_version": 1, "modules": {{"{SHA}": {{"1": {{"name": "cap"}}}}}}}}',
    f'{{"schema_version": 1, "modules": {{"{SHA}": {{"1": {{"name": 3, "text": ""}}}}}}}}',
    json.dumps(
        {"schema_version": 1, "modules": {SHA: {"1": {"name": "n" * 61, "text": ""}}}},
    ),
]


@pytest.mark.parametrize("damage", DAMAGES, ids=range(len(DAMAGES)))
def test_a_damaged_file_is_an_error_and_is_kept(entry: ModuleEntry, damage: str) -> None:
    sha256 = load_notes(entry).module_sha256
    path = get_notes_path(entry)
    path.write_text(damage)
    with pytest.raises(DamagedNotesError, match=r"notes.json are damaged"):
        load_notes(entry)
    with pytest.raises(DamagedNotesError):
        save_note(entry, 0, Note("cap"), base=Note(), module_sha256=sha256)
    assert path.read_text() == damage


def test_a_file_that_is_not_utf_8_is_damaged(entry: ModuleEntry) -> None:
    get_notes_path(entry).write_bytes(b"\xff\xfe")
    with pytest.raises(DamagedNotesError):
        load_notes(entry)


def test_a_huge_file_is_not_read(entry: ModuleEntry) -> None:
    with get_notes_path(entry).open("wb") as file:
        file.truncate(9 * 2**20)
    with pytest.raises(DamagedNotesError, match="bytes"):
        load_notes(entry)


def test_a_newer_format_is_neither_damaged_nor_overwritten(entry: ModuleEntry) -> None:
    text = '{"schema_version": 2, "modules": {}}'
    get_notes_path(entry).write_text(text)
    with pytest.raises(NotesError, match="format 2") as caught:
        load_notes(entry)
    assert not isinstance(caught.value, DamagedNotesError)
    assert get_notes_path(entry).read_text() == text


def test_a_damaged_file_is_set_aside_next_to_earlier_ones(entry: ModuleEntry) -> None:
    for number, text in enumerate(("{", "["), start=1):
        get_notes_path(entry).write_text(text)
        aside = set_aside(entry)
        assert aside.name == f"notes-damaged-{number}.json"
        assert aside.read_text() == text
    write(entry, 0, Note("cap"))
    assert load_notes(entry).names == {0: "cap"}
    get_notes_path(entry).unlink()
    with pytest.raises(NotesError, match="cannot be renamed"):
        set_aside(entry)


def test_valid_notes_are_not_set_aside(entry: ModuleEntry) -> None:
    write(entry, 0, Note("cap"))
    with pytest.raises(NotesError, match="no longer damaged"):
        set_aside(entry)
    assert load_notes(entry).names == {0: "cap"}


def test_a_missing_module_is_an_error(entry: ModuleEntry) -> None:
    entry.path.unlink()
    with pytest.raises(ExplorerError, match=r"module.safetensors cannot be read"):
        load_notes(entry)


def test_a_read_only_file_system_is_an_error(
    entry: ModuleEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = write(entry, 0, Note("cap"))

    def refuse(*args: object) -> None:
        raise OSError(30, "Read-only file system")

    # Permissions would not do, as the tests may run as root.
    monkeypatch.setattr(notes_file, "write_json", refuse)
    with pytest.raises(NotesError, match=r"Read-only file system\. Nothing was stored"):
        save_note(entry, 0, Note("x"), base=found.get(0), module_sha256=found.module_sha256)
    assert load_notes(entry).names == {0: "cap"}


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root ignores permissions")
def test_a_folder_without_write_permission_is_an_error(entry: ModuleEntry) -> None:
    folder = entry.path.parent
    folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        with pytest.raises(NotesError, match="cannot be written"):
            write(entry, 0, Note("cap"))
    finally:
        folder.chmod(stat.S_IRWXU)


@pytest.mark.parametrize("feature", [-1, 9_999])
def test_a_missing_x_feature_is_refused(entry: ModuleEntry, feature: int) -> None:
    with pytest.raises(NotesError, match="no x-feature"):
        write(entry, feature, Note("cap"), base=Note())


def test_the_highest_x_feature_round_trips(entry: ModuleEntry) -> None:
    write(entry, 9_998, Note("cap"))
    assert load_notes(entry).names == {9_998: "cap"}
