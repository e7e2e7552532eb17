"""The file ``notes.json``, which holds the names and notes of a module's x-features.

Notes are grouped by the SHA-256 of the module's file that they were written for.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec

from explorer.config import ExplorerError
from explorer.storage.json_records import FileError, convert_record, read_json, write_json
from explorer.storage.reading import check_regular, explain_os_error
from explorer.storage.text import strip_controls

NOTES_FILE = "notes.json"
SCHEMA_VERSION = 1
MAX_NAME_LENGTH = 60
MAX_TEXT_LENGTH = 2_000

_MAX_FILE_BYTES = 8 * 2**20  # far more than people write

Groups = dict[str, dict[int, "Note"]]
"""SHA-256 of a module's file to its notes by x-feature, counted from 0."""


class NotesError(ExplorerError):
    """Notes that cannot be read or written; the message names the file and the cure."""


class DamagedNotesError(NotesError):
    """A notes file that is damaged; `set_aside` makes room for a new one."""


@dataclass(frozen=True)
class Note:
    """A user's name and note for an x-feature; both are empty if there is none.

    Attributes
    ----------
    name : str
        One line of at most `MAX_NAME_LENGTH` characters.
    text : str
        At most `MAX_TEXT_LENGTH` characters, with line breaks.
    """

    name: str = ""
    text: str = ""


class _StoredNote(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    text: str


class _Contents(msgspec.Struct, frozen=True):
    schema_version: int
    # X-features are counted from 1, as on the screen.
    modules: dict[
        Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")],
        dict[Annotated[str, msgspec.Meta(pattern=r"^[1-9][0-9]{0,3}\Z")], _StoredNote],
    ]


def clean_name(name: str) -> str:
    """Convert a name to a single line without invisible control characters.

    Raises
    ------
    NotesError
        When it is longer than `MAX_NAME_LENGTH`.
    """
    cleaned = " ".join(strip_controls(" ".join(name.split())).split())
    _check_length(cleaned, MAX_NAME_LENGTH, "name")
    return cleaned


def clean_text(text: str) -> str:
    """Convert a note to plain text with line breaks and no other control characters.

    Raises
    ------
    NotesError
        When it is longer than `MAX_TEXT_LENGTH`.
    """
    lines = re.split(r"\r\n|\r|\n", text)
    cleaned = "\n".join(strip_controls(line.replace("\t", " ")).rstrip() for line in lines).strip()
    _check_length(cleaned, MAX_TEXT_LENGTH, "note")
    return cleaned


def _check_length(text: str, longest: int, what: str) -> None:
    if len(text) > longest:
        raise NotesError(
            f"The {what} has {len(text):,} characters; at most {longest:,} are allowed. Shorten it."
        )


def read_groups(path: Path) -> Groups:
    """Read and check all notes in a file; empty if there is no file.

    Raises
    ------
    DamagedNotesError
        When the file is damaged.
    NotesError
        When it cannot be read or was written by a newer version.
    """
    if path.is_symlink():
        raise _make_damage_error(path, "it is a link to another place")
    try:
        check_regular(path)
        size = path.stat().st_size
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise NotesError(f"{path} cannot be read: {explain_os_error(error)}.") from error
    if size > _MAX_FILE_BYTES:
        raise _make_damage_error(path, f"it has {size:,} bytes")
    return _parse(path)


def _parse(path: Path) -> Groups:
    try:
        contents = convert_record(read_json(path), _Contents)
        if contents.schema_version > SCHEMA_VERSION:
            raise NotesError(
                f"{path} was written in format {contents.schema_version}; this version reads up "
                f"to {SCHEMA_VERSION}. Update the explorer."
            )
        if contents.schema_version < SCHEMA_VERSION:
            raise ValueError(f"there is no format {contents.schema_version}")
        return {
            sha256: {int(number) - 1: _convert(number, note) for number, note in group.items()}
            for sha256, group in contents.modules.items()
        }
    except (FileError, ValueError) as error:
        raise _make_damage_error(path, str(error).rstrip(".")) from error


def _convert(number: str, stored: _StoredNote) -> Note:
    try:
        return Note(clean_name(stored.name), clean_text(stored.text))
    except NotesError as error:
        raise ValueError(f"the note of x-feature {number} is too long") from error


def _make_damage_error(path: Path, reason: str) -> DamagedNotesError:
    return DamagedNotesError(
        f"The notes in {path} are damaged: {reason}. They are not overwritten. Repair the file, "
        "or set it aside."
    )


def write_groups(path: Path, groups: Groups) -> None:
    """Write all notes of a module.

    Raises
    ------
    NotesError
        When the file cannot be written.
    """
    content = {
        "schema_version": SCHEMA_VERSION,
        "modules": {
            sha256: {
                str(feature + 1): {"name": note.name, "text": note.text}
                for feature, note in sorted(group.items())
            }
            for sha256, group in groups.items()
            if group
        },
    }
    try:
        write_json(path, content)
    except OSError as error:
        raise NotesError(
            f"{path} cannot be written: {explain_os_error(error)}. Nothing was stored. Give the "
            "user that runs the explorer permission to write to the folder."
        ) from error
