"""Names and notes that people give x-features, kept in ``notes.json`` beside the module's file.

A note belongs to a module's very content: the file holds one group of notes for each hash of a
module's file. After a module has been trained again its x-features are others, so what was written
before is kept and shown as of an earlier module, but names nothing any more.
"""

import os
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from explorer.config import ExplorerError, refuse_if_public
from explorer.storage.locks import hold_folder
from explorer.storage.reading import check_regular, hash_once
from explorer.workspace.layout import ModuleEntry, WorkspaceError, read_json, write_json

NOTES_FILE = "notes.json"
SCHEMA_VERSION = 1
LONGEST_NAME = 60
LONGEST_TEXT = 2_000

_LARGEST_FILE = 8 * 2**20  # bytes; far more than people write, so a larger one is damaged
_MOST_X_FEATURES = 9_999  # four digits in the file
# Characters that turn the direction of what follows them, beyond the note's end.
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

Groups = dict[str, dict[int, "Note"]]


class NotesError(ExplorerError):
    """Notes that cannot be read or written; the message names the file and the cure."""


class DamagedNotesError(NotesError):
    """A notes file that is not one; `set_aside` makes room for a new one."""


@dataclass(frozen=True)
class Note:
    """What somebody wrote of an x-feature; both are empty where nobody did.

    Attributes
    ----------
    name : str
        One line of at most `LONGEST_NAME` characters.
    text : str
        At most `LONGEST_TEXT` characters, with line breaks.
    """

    name: str = ""
    text: str = ""


class ConflictError(NotesError):
    """Somebody else changed the same words meanwhile; `theirs` is what is stored now."""

    def __init__(self, theirs: Note) -> None:
        super().__init__(
            "Somebody else has changed the same words meanwhile. Nothing of yours was stored."
        )
        self.theirs = theirs


@dataclass(frozen=True)
class ModuleNotes:
    """The notes of one module's file.

    Attributes
    ----------
    module_sha256 : str
        Hash of the module's file for which `current` was written.
    current : Mapping of int to Note
        By x-feature, counted from 0; only those that somebody wrote.
    earlier : tuple of Mapping
        The same for every earlier content of the module's file that has notes.
    """

    module_sha256: str
    current: Mapping[int, Note] = field(default_factory=dict)
    earlier: tuple[Mapping[int, Note], ...] = ()

    @property
    def names(self) -> dict[int, str]:
        """Names by x-feature, counted from 0; only those that have one."""
        return {feature: note.name for feature, note in self.current.items() if note.name}

    def get(self, feature: int) -> Note:
        """Return the note of an x-feature, counted from 0; an empty one where there is none."""
        return self.current.get(feature, Note())


def get_notes_path(entry: ModuleEntry) -> Path:
    """Return where the notes of a module are kept."""
    return entry.path.with_name(NOTES_FILE)


def load_notes(entry: ModuleEntry) -> ModuleNotes:
    """Read the notes of a module as it is on disk now.

    Raises
    ------
    DamagedNotesError
        When the notes are damaged.
    NotesError
        When they are from a newer version, or the module's file cannot be read.
    """
    sha256 = _hash_module(entry)
    return _pick(_read(get_notes_path(entry)), sha256)


def load_names(entry: ModuleEntry) -> dict[int, str]:
    """Read the names of a module's x-features, counted from 0; only those that have one.

    Notes that cannot be read name nothing: a page that only wants names goes on without them, and
    `load_notes` tells what is wrong.
    """
    try:
        return load_notes(entry).names
    except NotesError:
        return {}


def save_note(
    entry: ModuleEntry, feature: int, note: Note, *, base: Note, module_sha256: str
) -> ModuleNotes:
    """Store what somebody wrote of one x-feature, beside what others wrote meanwhile.

    The file is read again under a lock. Of name and text each is taken from whoever changed it;
    an x-feature whose name and text are both empty in the end loses its note.

    Parameters
    ----------
    entry : ModuleEntry
        The module.
    feature : int
        The x-feature, counted from 0.
    note : Note
        What is to be stored; cleaned by `clean_name` and `clean_text`.
    base : Note
        What the writer had before them when they began.
    module_sha256 : str
        `ModuleNotes.module_sha256` of then.

    Returns
    -------
    ModuleNotes
        As they are on disk now.

    Raises
    ------
    ConflictError
        When somebody else changed the same field meanwhile, to something else.
    NotesError
        When the note is too long, the module was replaced meanwhile, the notes on disk are
        damaged (they are left as they are), or the folder cannot be written to.
    PublicError
        On a public server.
    """
    refuse_if_public("Writing names and notes")
    if not 0 <= feature < _MOST_X_FEATURES:
        raise NotesError(f"There is no x-feature {feature + 1} to write of.")
    mine = Note(clean_name(note.name), clean_text(note.text))
    path = get_notes_path(entry)
    with hold_folder(path.parent):
        sha256 = _hash_module(entry)
        if sha256 != module_sha256:
            raise NotesError(
                "The module was trained again meanwhile, so your words may not fit it any more. "
                "Copy them, reload the page and look at the x-feature first."
            )
        groups = _read(path)
        group = groups.setdefault(sha256, {})
        merged = _merge(base, mine, group.get(feature, Note()))
        if merged == Note():
            group.pop(feature, None)
        else:
            group[feature] = merged
        _write(path, groups)
    return _pick(groups, sha256)


def set_aside(entry: ModuleEntry) -> Path:
    """Rename a notes file that cannot be read, so that new notes can be written, and return it.

    Raises
    ------
    NotesError
        When there is no such file, it is not damaged, or the folder cannot be written to.
    PublicError
        On a public server.
    """
    refuse_if_public("Setting files aside")
    path = get_notes_path(entry)
    with hold_folder(path.parent):
        # Another session may have done so meanwhile, and somebody may have written since.
        if os.path.lexists(path) and not _is_damaged(path):
            raise NotesError("The notes are not damaged any more. Reload the page.")
        taken = (path.with_name(f"notes-damaged-{number}.json") for number in range(1, 1_000))
        aside = next((name for name in taken if not name.exists()), None)
        if aside is None:
            raise NotesError(f"{path.parent} is full of damaged notes. Move them elsewhere.")
        try:
            path.rename(aside)
        except OSError as error:
            raise NotesError(f"{path} cannot be renamed: {error.strerror or error}.") from error
    return aside


def _is_damaged(path: Path) -> bool:
    try:
        _read(path)
    except DamagedNotesError:
        return True
    return False


def clean_name(name: str) -> str:
    """Make a name one line without invisible control characters.

    Raises
    ------
    NotesError
        When it is longer than `LONGEST_NAME`.
    """
    cleaned = " ".join(_drop_controls(" ".join(name.split())).split())
    _check_length(cleaned, LONGEST_NAME, "name")
    return cleaned


def clean_text(text: str) -> str:
    """Make a note plain text with line breaks, without other control characters.

    Raises
    ------
    NotesError
        When it is longer than `LONGEST_TEXT`.
    """
    lines = re.split(r"\r\n|\r|\n", text)
    cleaned = "\n".join(_drop_controls(line.replace("\t", " ")).rstrip() for line in lines).strip()
    _check_length(cleaned, LONGEST_TEXT, "note")
    return cleaned


def _drop_controls(line: str) -> str:
    # Half of a surrogate pair cannot be written as UTF-8.
    return "".join(
        c for c in line if unicodedata.category(c) not in ("Cc", "Cs") and c not in _TURNING
    )


def _check_length(text: str, longest: int, what: str) -> None:
    if len(text) > longest:
        raise NotesError(
            f"The {what} has {len(text):,} characters; at most {longest:,} are kept. Shorten it."
        )


def _merge(base: Note, mine: Note, stored: Note) -> Note:
    """Take name and text each from whoever changed it; `ConflictError` where both did."""

    def pick(old: str, own: str, other: str) -> str:
        if other in (old, own):
            return own
        if own == old:
            return other
        raise ConflictError(stored)

    return Note(pick(base.name, mine.name, stored.name), pick(base.text, mine.text, stored.text))


def _pick(groups: Groups, sha256: str) -> ModuleNotes:
    earlier = tuple(group for key, group in groups.items() if key != sha256 and group)
    return ModuleNotes(sha256, groups.get(sha256, {}), earlier)


def _hash_module(entry: ModuleEntry) -> str:
    try:
        return hash_once(entry.path)
    except OSError as error:
        raise NotesError(f"{entry.path} cannot be read: {error.strerror or error}.") from error


def _read(path: Path) -> Groups:
    """Read all notes in a file, checked; none where there is no file."""
    if path.is_symlink():
        raise _tell_damage(path, "it is a link to somewhere else")
    try:
        check_regular(path)
        size = path.stat().st_size
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise NotesError(f"{path} cannot be read: {error.strerror or error}.") from error
    if size > _LARGEST_FILE:
        raise _tell_damage(path, f"it has {size:,} bytes")
    try:
        content = read_json(path)
    except WorkspaceError as error:
        raise _tell_damage(path, str(error).rstrip(".")) from error
    version = content.get("schema_version")
    if type(version) is int and version > SCHEMA_VERSION:
        raise NotesError(
            f"{path} was written in format {version}; this version reads up to {SCHEMA_VERSION}. "
            "Update the explorer."
        )
    if (
        type(version) is not int
        or version != SCHEMA_VERSION
        or not isinstance(content.get("modules"), dict)
    ):
        raise _tell_damage(path, "it lacks its version or its modules")
    return {key: _check_group(path, key, group) for key, group in content["modules"].items()}


def _check_group(path: Path, key: str, group: Any) -> dict[int, Note]:
    if not re.fullmatch("[0-9a-f]{64}", key) or not isinstance(group, dict):
        raise _tell_damage(path, f"{key[:80]!r} does not name a module's notes")
    notes = {}
    for number, fields in group.items():
        if not re.fullmatch("[1-9][0-9]{0,3}", number):
            raise _tell_damage(path, f"{number[:80]!r} does not number an x-feature")
        if not isinstance(fields, dict) or set(fields) != {"name", "text"}:
            raise _tell_damage(path, f"the note of x-feature {number} has not just name and text")
        if not all(isinstance(value, str) for value in fields.values()):
            raise _tell_damage(path, f"the note of x-feature {number} is not text")
        try:
            note = Note(clean_name(fields["name"]), clean_text(fields["text"]))
        except NotesError as error:
            raise _tell_damage(path, f"the note of x-feature {number} is too long") from error
        notes[int(number) - 1] = note
    return notes


def _tell_damage(path: Path, reason: str) -> DamagedNotesError:
    return DamagedNotesError(
        f"The notes in {path} are damaged: {reason}. They are not overwritten: mend the file, "
        "or have it set aside."
    )


def _write(path: Path, groups: Groups) -> None:
    content = {
        "schema_version": SCHEMA_VERSION,
        # In the file x-features are counted from 1, as on the screen.
        "modules": {
            key: {
                str(feature + 1): {"name": note.name, "text": note.text}
                for feature, note in sorted(group.items())
            }
            for key, group in groups.items()
            if group
        },
    }
    try:
        write_json(path, content)
    except OSError as error:
        raise NotesError(
            f"{path} cannot be written: {error.strerror or error}. Nothing was stored. Make the "
            "folder writable for whoever runs the explorer."
        ) from error
