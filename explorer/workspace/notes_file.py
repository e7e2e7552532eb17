"""The file that keeps names and notes of x-features beside a module's file.

It holds one group of notes for each hash of a module's file.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from explorer.config import ExplorerError
from explorer.storage.json_records import FileError, read_json, write_json
from explorer.storage.reading import check_regular
from explorer.storage.text import drop_controls

NOTES_FILE = "notes.json"
SCHEMA_VERSION = 1
LONGEST_NAME = 60
LONGEST_TEXT = 2_000

_LARGEST_FILE = 8 * 2**20  # bytes; far more than people write, so a larger one is damaged

Groups = dict[str, dict[int, "Note"]]
"""Hash of a module's file to its notes by x-feature, counted from 0."""


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


def clean_name(name: str) -> str:
    """Make a name one line without invisible control characters.

    Raises
    ------
    NotesError
        When it is longer than `LONGEST_NAME`.
    """
    cleaned = " ".join(drop_controls(" ".join(name.split())).split())
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
    cleaned = "\n".join(drop_controls(line.replace("\t", " ")).rstrip() for line in lines).strip()
    _check_length(cleaned, LONGEST_TEXT, "note")
    return cleaned


def _check_length(text: str, longest: int, what: str) -> None:
    if len(text) > longest:
        raise NotesError(
            f"The {what} has {len(text):,} characters; at most {longest:,} are kept. Shorten it."
        )


def read_groups(path: Path) -> Groups:
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
    except FileError as error:
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


def write_groups(path: Path, groups: Groups) -> None:
    """Write all notes of a module; `NotesError` where the folder takes none."""
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
