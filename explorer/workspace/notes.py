"""Names and notes that users give to x-features, stored in ``notes.json`` next to the module.

A note belongs to the exact contents of a module's file, whose hash is stored with it. When a module
is trained again, its x-features change. The notes of the earlier module are then kept and shown as
such, but no longer name anything.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from explorer.storage.locks import lock_folder
from explorer.storage.reading import hash_cached
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

_MAX_X_FEATURES = 9_999  # four digits in the file


class ConflictError(NotesError):
    """Another user changed the same field in the meantime; `theirs` is the stored note."""

    def __init__(self, theirs: Note) -> None:
        super().__init__(
            "Another user has changed the same text in the meantime. Your changes were not stored."
        )
        self.theirs = theirs


@dataclass(frozen=True)
class ModuleNotes:
    """The notes of one module's file.

    Attributes
    ----------
    module_sha256 : str
        Hash of the module's file that `current` belongs to.
    current : Mapping of int to Note
        Notes by x-feature, counted from 0.
    earlier : tuple of Mapping
        The same for earlier contents of the module's file.
    """

    module_sha256: str
    current: Mapping[int, Note] = field(default_factory=dict)
    earlier: tuple[Mapping[int, Note], ...] = ()

    @property
    def names(self) -> dict[int, str]:
        """Names by x-feature, counted from 0."""
        return {feature: note.name for feature, note in self.current.items() if note.name}

    def get(self, feature: int) -> Note:
        """Return the note of an x-feature, counted from 0; empty if there is none."""
        return self.current.get(feature, Note())


def get_notes_path(entry: ModuleEntry) -> Path:
    """Return the path of the notes of a module."""
    return entry.path.with_name(NOTES_FILE)


def load_notes(entry: ModuleEntry) -> ModuleNotes:
    """Read the notes of a module.

    Raises
    ------
    DamagedNotesError
        When the notes are damaged.
    NotesError
        When they were written by a newer version, or the module's file cannot be read.
    """
    sha256 = _hash_module(entry)
    return _select(read_groups(get_notes_path(entry)), sha256)


def save_note(
    entry: ModuleEntry, feature: int, note: Note, *, base: Note, module_sha256: str
) -> ModuleNotes:
    """Store the note of one x-feature, merged with changes that others made in the meantime.

    The file is read again under a lock. Name and text are merged separately, each taken from the
    user who changed it. A note whose name and text are both empty is removed.

    Parameters
    ----------
    entry : ModuleEntry
        The module.
    feature : int
        The x-feature, counted from 0.
    note : Note
        The note to store; cleaned by `clean_name` and `clean_text`.
    base : Note
        The note that the user started from.
    module_sha256 : str
        `ModuleNotes.module_sha256` that `base` was loaded with.

    Returns
    -------
    ModuleNotes
        The notes after the change.

    Raises
    ------
    ConflictError
        When another user changed the same field to something else in the meantime.
    NotesError
        When the note is too long, the module was replaced in the meantime, the stored notes are
        damaged (and then left unchanged), or the folder cannot be written to.
    PublicError
        On a public server.
    """
    if not 0 <= feature < _MAX_X_FEATURES:
        raise NotesError(f"There is no x-feature {feature + 1} to write a note for.")
    mine = Note(clean_name(note.name), clean_text(note.text))
    path = get_notes_path(entry)
    with lock_folder(path.parent):
        sha256 = _hash_module(entry)
        if sha256 != module_sha256:
            raise NotesError(
                "The module was trained again in the meantime, so your note may no longer fit it. "
                "Copy your text, reload the page and look at the x-feature first."
            )
        groups = read_groups(path)
        group = groups.setdefault(sha256, {})
        merged = _merge(base, mine, group.get(feature, Note()))
        if merged == Note():
            group.pop(feature, None)
        else:
            group[feature] = merged
        write_groups(path, groups)
    return _select(groups, sha256)


def set_aside(entry: ModuleEntry) -> Path:
    """Rename a damaged notes file, so that new notes can be written; return its new path.

    Raises
    ------
    NotesError
        When the file is missing or not damaged, or the folder cannot be written to.
    PublicError
        On a public server.
    """
    path = get_notes_path(entry)
    with lock_folder(path.parent):
        # Another session may have set it aside already, and written new notes since.
        if os.path.lexists(path) and not _is_damaged(path):
            raise NotesError("The notes are no longer damaged. Reload the page.")
        taken = (path.with_name(f"notes-damaged-{number}.json") for number in range(1, 1_000))
        aside = next((name for name in taken if not name.exists()), None)
        if aside is None:
            raise NotesError(
                f"There are too many damaged notes in {path.parent}. Move them elsewhere."
            )
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
    """Take name and text from whoever changed them; `ConflictError` if both did."""

    def choose(old: str, own: str, other: str) -> str:
        if other in (old, own):
            return own
        if own == old:
            return other
        raise ConflictError(stored)

    return Note(
        choose(base.name, mine.name, stored.name), choose(base.text, mine.text, stored.text)
    )


def _select(groups: Groups, sha256: str) -> ModuleNotes:
    earlier = tuple(group for key, group in groups.items() if key != sha256 and group)
    return ModuleNotes(sha256, groups.get(sha256, {}), earlier)


def _hash_module(entry: ModuleEntry) -> str:
    try:
        return hash_cached(entry.path)
    except OSError as error:
        raise NotesError(f"{entry.path} cannot be read: {error.strerror or error}.") from error
