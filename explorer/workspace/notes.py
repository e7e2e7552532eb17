"""Names and notes that people give x-features, kept in ``notes.json`` beside the module's file.

A note belongs to a module's very content: the file holds one group of notes for each hash of a
module's file. After a module has been trained again its x-features are others, so what was written
before is kept and shown as of an earlier module, but names nothing any more.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from explorer.storage.locks import hold_folder
from explorer.storage.reading import hash_once
from explorer.storage.writing import move
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.notes_file import (
    NOTES_FILE,
    DamagedNotesError,
    Groups,
    Note,
    NotesError,
    clean_name,
    clean_text,
    read_groups,
    write_groups,
)

_MOST_X_FEATURES = 9_999  # four digits in the file


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
    return _pick(read_groups(get_notes_path(entry)), sha256)


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
        groups = read_groups(path)
        group = groups.setdefault(sha256, {})
        merged = _merge(base, mine, group.get(feature, Note()))
        if merged == Note():
            group.pop(feature, None)
        else:
            group[feature] = merged
        write_groups(path, groups)
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
            move(path, aside)
        except OSError as error:
            raise NotesError(f"{path} cannot be renamed: {error.strerror or error}.") from error
    return aside


def _is_damaged(path: Path) -> bool:
    try:
        read_groups(path)
    except DamagedNotesError:
        return True
    return False


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
