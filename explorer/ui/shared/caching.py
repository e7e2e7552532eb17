"""How Streamlit's caches tell workspaces, modules and photos apart.

A key holds what the result depends on: the workspace with its settings, the hash of the
classifier's weights among them, a module's file and its time of change, a photo's file, its time
of change and its annotations. Colours, opacity and the chosen x-feature are in none of the keys of
what a network computes.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

import streamlit as st

from explorer.data.photo import Photo
from explorer.storage.reading import Stamp, read_stamp
from explorer.workspace.features import Features
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace

F = TypeVar("F", bound=Callable[..., Any])
Key = tuple[str | int | bytes, ...]
HashFuncs = Mapping[type, Callable[[Any], Any]]


def get_stamp(path: Path) -> Stamp:
    """Return the stamp of a file, or zeros where there is none."""
    try:
        return read_stamp(path)
    except OSError:
        return 0, 0, 0


def make_workspace_key(workspace: Workspace) -> Key:
    """Name a workspace with its settings: data set, held-out photos, classifier, layer of Z."""
    return (str(workspace.path), *vars(workspace.settings).values())


def make_entry_key(entry: ModuleEntry) -> Key:
    """Name a module as it is on disk now."""
    return (str(entry.path), *get_stamp(entry.path))


def make_module_key(workspace: Workspace, entry: ModuleEntry) -> Key:
    """Name a module as it is on disk now, in its workspace."""
    return (*make_workspace_key(workspace), *make_entry_key(entry))


def make_photo_key(photo: Photo) -> Key:
    """Name a photo as it is on disk now, with its annotations."""
    marks = (str(photo.box), photo.parts.tobytes(), photo.visible.tobytes())
    return (str(photo.path), *get_stamp(photo.path), photo.image_id, *marks)


def _make_features_key(features: Features) -> Key:
    # A workspace and its classifier are in every key beside them; photos may have gone since.
    return (*features.z.shape, features.image_ids.tobytes())


HASH_FUNCS: HashFuncs = {
    Workspace: make_workspace_key,
    ModuleEntry: make_entry_key,
    Photo: make_photo_key,
    Features: _make_features_key,
}
"""What names an argument, also within a tuple. A dataclass that holds one of these needs a function
of its own: Streamlit takes it apart with ``asdict``, and a `ModuleEntry` in it would lose its time
of change."""


def cache_data(
    entries: int, *, spinner: bool | str = False, also: HashFuncs | None = None
) -> Callable[[F], F]:
    """Cache what a function returns; every caller gets a copy of its own.

    Parameters
    ----------
    entries : int
        Most results to keep.
    spinner : bool or str
        What is shown while the function runs.
    also : Mapping, optional
        Type of an argument to what names it, where `HASH_FUNCS` is not what is meant.
    """
    hash_funcs: dict[Any, Callable[[Any], Any]] = {**HASH_FUNCS, **(also or {})}
    decorate = st.cache_data(show_spinner=spinner, max_entries=entries, hash_funcs=hash_funcs)
    return cast("Callable[[F], F]", decorate)


def cache_resource(entries: int, *, also: HashFuncs | None = None) -> Callable[[F], F]:
    """Cache what a function returns; all callers share it, read-only."""
    hash_funcs: dict[Any, Callable[[Any], Any]] = {**HASH_FUNCS, **(also or {})}
    decorate = st.cache_resource(show_spinner=False, max_entries=entries, hash_funcs=hash_funcs)
    return cast("Callable[[F], F]", decorate)
