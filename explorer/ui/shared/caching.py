"""How Streamlit's caches identify workspaces, modules and photos.

A key holds everything that the result depends on: the workspace with its settings (including the
hash of the classifier's weights), the file and modification time of a module, and the file,
modification time and annotations of a photo. Results of a network never depend on colours, opacity
or the chosen x-feature, so their keys do not either.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

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
    """Identify a workspace and its settings: data set, held-out photos, classifier, layer of Z."""
    return (str(workspace.path), *vars(workspace.settings).values())


def make_entry_key(entry: ModuleEntry) -> Key:
    """Identify a module as it is on disk now."""
    return (str(entry.path), *get_stamp(entry.path))


def make_module_key(workspace: Workspace, entry: ModuleEntry) -> Key:
    """Identify a module as it is on disk now, in its workspace."""
    return (*make_workspace_key(workspace), *make_entry_key(entry))


def make_photo_key(photo: Photo) -> Key:
    """Identify a photo as it is on disk now, with its annotations."""
    marks = (str(photo.box), photo.parts.tobytes(), photo.visible.tobytes())
    return (str(photo.path), *get_stamp(photo.path), photo.image_id, *marks)


def _make_features_key(features: Features) -> Key:
    # The workspace and its classifier are part of the same key. Photos may have been removed.
    return (*features.z.shape, features.image_ids.tobytes())


HASH_FUNCS: HashFuncs = {
    Workspace: make_workspace_key,
    ModuleEntry: make_entry_key,
    Photo: make_photo_key,
    Features: _make_features_key,
}
"""Makes the key of an argument, also within a tuple. A dataclass with a field of one of these types
needs its own function: Streamlit converts it with ``asdict``, which would ignore the modification
time of a `ModuleEntry`."""


def cache_data(
    entries: int, *, spinner: bool | str = False, also: HashFuncs | None = None
) -> Callable[[F], F]:
    """Cache the results of a function; every caller gets a copy.

    Parameters
    ----------
    entries : int
        Largest number of results to keep.
    spinner : bool or str
        Shown while the function runs.
    also : Mapping, optional
        Type of an argument to the function that makes its key, in place of `HASH_FUNCS`.
    """
    hash_funcs: dict[Any, Callable[[Any], Any]] = {**HASH_FUNCS, **(also or {})}
    decorate = st.cache_data(show_spinner=spinner, max_entries=entries, hash_funcs=hash_funcs)
    return cast("Callable[[F], F]", decorate)


def cache_resource(
    entries: int, *, also: HashFuncs | None = None, scope: Literal["global", "session"] = "global"
) -> Callable[[F], F]:
    """Cache the results of a function; all callers share them, or those of a session, read-only."""
    hash_funcs: dict[Any, Callable[[Any], Any]] = {**HASH_FUNCS, **(also or {})}
    decorate = st.cache_resource(
        show_spinner=False, max_entries=entries, hash_funcs=hash_funcs, scope=scope
    )
    return cast("Callable[[F], F]", decorate)
