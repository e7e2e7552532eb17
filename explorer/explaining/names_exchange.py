"""Somebody else's names and notes for x-features, from the JSON of an atlas."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import msgspec

from explorer.config import ExplorerError, Progress, Steps
from explorer.explaining.atlas import SCHEMA_VERSION, count_x_features
from explorer.storage.json_records import convert_record, parse_json, read_json
from explorer.storage.reading import hash_cached
from explorer.storage.writing import refuse_if_public
from explorer.workspace.files import WorkspaceFiles
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.notes import load_notes, save_note
from explorer.workspace.notes_file import Note, NotesError, clean_name, clean_text

MAX_BYTES = 32 * 2**20
"""Size limit of an uploaded file. The atlas of all species of CUB has a tenth of it."""

Kind: TypeAlias = Literal["new", "same", "different"]


class _Feature(msgspec.Struct, frozen=True):
    x_feature: Annotated[int, msgspec.Meta(ge=1)]
    own_name: str | None = None
    note: str | None = None


class _Module(msgspec.Struct, frozen=True):
    module_sha256: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
    x_features: tuple[_Feature, ...]


class _Names(msgspec.Struct, frozen=True):
    schema_version: int
    modules: tuple[_Module, ...]


@dataclass(frozen=True)
class OtherNote:
    """Somebody else's note for an x-feature of this workspace, beside one's own.

    Attributes
    ----------
    entry : ModuleEntry
        The module.
    feature : int
        The x-feature, counted from 0.
    mine, theirs : Note
        One's own note, which may be empty, and the other one, which is not.
    module_sha256 : str
        Hash of the module's file that both belong to.
    """

    entry: ModuleEntry
    feature: int
    mine: Note
    theirs: Note
    module_sha256: str

    @property
    def kind(self) -> Kind:
        """Whether it adds something, nothing, or contradicts one's own name or text."""
        if self.merge(replace=True) == self.mine:
            return "same"
        return "new" if self.merge(replace=True) == self.merge(replace=False) else "different"

    def merge(self, *, replace: bool) -> Note:
        """Fill what is empty in one's own note, or put the other's words in its place."""
        first, second = (self.theirs, self.mine) if replace else (self.mine, self.theirs)
        return Note(first.name or second.name, first.text or second.text)


@dataclass(frozen=True)
class OtherNames:
    """What a file holds for a workspace.

    Attributes
    ----------
    notes : tuple of OtherNote
        Notes for modules of the workspace.
    foreign : int
        Number of notes for other modules.
    """

    notes: tuple[OtherNote, ...]
    foreign: int

    def select(self, kind: Kind) -> tuple[OtherNote, ...]:
        """Return the notes of a kind."""
        return tuple(note for note in self.notes if note.kind == kind)


def load_other_names(files: WorkspaceFiles, file: Path) -> OtherNames:
    """Read somebody else's names from a file; see `read_other_names`."""
    return _compare(files, read_json(file), str(file))


def read_other_names(files: WorkspaceFiles, data: bytes) -> OtherNames:
    """Read somebody else's names from the JSON of an atlas, and compare them with one's own.

    Raises
    ------
    ExplorerError
        When the JSON is damaged or of a newer version, or a note is too long.
    """
    try:
        content = parse_json(data)
    except ValueError as error:
        raise _make_error("The file", str(error)) from error
    return _compare(files, content, "The file")


def _compare(files: WorkspaceFiles, content: object, name: str) -> OtherNames:
    theirs = dict(_list_notes(content, name))
    notes = [
        OtherNote(entry, feature, own.get(feature), theirs.pop((sha256, feature)), sha256)
        for entry, sha256, count in _list_modules(files)
        if any(key[0] == sha256 for key in theirs)
        for own in (load_notes(entry),)
        for feature in range(count)
        if (sha256, feature) in theirs
    ]
    return OtherNames(tuple(notes), len(theirs))


def _list_modules(files: WorkspaceFiles) -> Iterator[tuple[ModuleEntry, str, int]]:
    """Yield the usable modules, each with its file's hash and its number of x-features."""
    for entry in files.list_modules():
        try:
            yield entry, hash_cached(entry.path), count_x_features(files.load_record(entry))
        except (ExplorerError, OSError):  # reported when the module is loaded
            continue


def _list_notes(content: object, name: str) -> Iterator[tuple[tuple[str, int], Note]]:
    """Yield the notes in parsed JSON by module and x-feature, counted from 0; no empty ones."""
    version = content.get("schema_version") if isinstance(content, Mapping) else None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise ExplorerError(
            f"{name} was written in format {version}; this version reads up to {SCHEMA_VERSION}. "
            "Update the explorer."
        )
    try:
        names = convert_record(content, _Names)
        if names.schema_version < SCHEMA_VERSION:
            raise ValueError(f"there is no format {names.schema_version}")
        for module in names.modules:
            for one in module.x_features:
                note = Note(clean_name(one.own_name or ""), clean_text(one.note or ""))
                if note != Note():
                    yield (module.module_sha256, one.x_feature - 1), note
    except (ValueError, NotesError) as error:
        raise _make_error(name, str(error)) from error


def _make_error(name: str, reason: str) -> ExplorerError:
    return ExplorerError(
        f"{name} is not an atlas of the explorer: {reason.rstrip('.')}. Choose the JSON of an "
        "atlas, as the page Atlas and `python -m explorer atlas WORKSPACE --json` write it."
    )


def take_names(names: OtherNames, *, replace: bool = False) -> Steps[int]:
    """Store somebody else's names and notes where one has none; return how many were stored.

    Parameters
    ----------
    names : OtherNames
        From `load_other_names` or `read_other_names`.
    replace : bool
        Whether to put theirs in the place of one's own where both differ.

    Yields
    ------
    Progress
        For each stored note.

    Raises
    ------
    NotesError
        When a module was trained again, or a note changed, since they were compared.
    PublicError
        On a public server.
    """
    refuse_if_public()
    chosen = names.select("new") + (names.select("different") if replace else ())
    for done, one in enumerate(chosen, start=1):
        save_note(
            one.entry,
            one.feature,
            one.merge(replace=replace),
            base=one.mine,
            module_sha256=one.module_sha256,
        )
        yield Progress("Storing names", done, len(chosen))
    return len(chosen)
