"""What pages load or compute from a workspace, cached and shared by all sessions."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from explorer.config import ExplorerError
from explorer.data.photo import Photo
from explorer.data.photo_folders import stamp_photo_folders
from explorer.explaining.naming import load_own_names, merge_names
from explorer.maps.cache import load_maps
from explorer.measuring.parts import PhotoParts
from explorer.measuring.parts import load_parts as read_parts
from explorer.measuring.records import (
    ClassifierMeasures,
    ModuleMeasures,
    load_classifier_measures,
    load_module_measures,
)
from explorer.nn.explanation import Explanation
from explorer.ui.shared import pictures, state
from explorer.ui.shared.caching import (
    cache_data,
    cache_resource,
    get_stamp,
    make_entry_key,
    make_workspace_key,
)
from explorer.ui.shared.splits import SplitSides
from explorer.workspace.layout import (
    METRICS_FILE,
    SETTINGS_FILE,
    ModuleEntry,
)
from explorer.workspace.photos import list_refused
from explorer.workspace.workspace import Workspace


def open_workspace() -> Workspace:
    """Open the workspace chosen in the sidebar, on the device chosen there.

    Raises
    ------
    ExplorerError
        When there is no workspace in that folder, or it cannot be read.
    """
    workspace: Workspace = _open_workspace(state.get_workspace_path(), state.get_device())
    return workspace


def _make_opening_key(path: Path) -> object:
    # Where photos appear, the workspace is opened again, with them.
    return str(path), get_stamp(path / SETTINGS_FILE), stamp_photo_folders()


# Few, so that a classifier that was replaced does not stay in memory for long.
@cache_resource(4, also={type(Path()): _make_opening_key})
def _open_workspace(path: Path, device: str) -> Workspace:
    workspace = Workspace(path, device)
    _ = workspace.dataset
    return workspace


@cache_data(256)
def load_split(workspace: Workspace, entry: ModuleEntry) -> SplitSides:
    """Read a module's split from its file; no network is loaded."""
    split = workspace.load_record(entry).split
    return SplitSides(frozenset(split.get("train", ())), frozenset(split.get("test", ())))


@cache_data(64)
def load_parts(photo: Photo) -> PhotoParts:
    """Load a photo with its box and parts."""
    return read_parts(photo)


@cache_data(4096)
def load_thumbnail(photo: Photo) -> bytes:
    """Load a photo as a small square JPEG."""
    return pictures.encode_jpeg(pictures.make_thumbnail(load_parts(photo).image))


def load_thumbnail_or_none(workspace: Workspace, photo: Photo) -> bytes | None:
    """Load a photo of a workspace as a small square JPEG; None if there are no photos."""
    return load_thumbnail(photo) if workspace.dataset.has_photos else None


@cache_data(256)
def explain(workspace: Workspace, entry: ModuleEntry, photo: Photo, layer: str) -> Explanation:
    """Explain a photo; the network runs only if the maps are neither on disk nor in memory.

    Maps from disk are rounded, as described in `explorer.maps.cache`. Scores and activations are
    exact.
    """
    maps = load_maps(workspace, entry, photo, layer)
    if maps is not None:
        return maps.unpack_explanation()
    image = load_parts(photo).image
    with workspace.networks.take_turn():
        return workspace.networks.explain(entry, image, layer)


@cache_data(256)
def draw_lone_map(
    workspace: Workspace, entry: ModuleEntry, photo: Photo, layer: str, feature: int
) -> NDArray[np.float32]:
    """Draw the map of one x-feature (counted from 0) alone, (h, w), >= 0; see `explain`."""
    maps = load_maps(workspace, entry, photo, layer)
    if maps is not None:
        heat: NDArray[np.float32] = maps.unpack_explanation().maps[feature]
        return heat
    image = load_parts(photo).image
    with workspace.networks.take_turn():
        return workspace.networks.draw_map(entry, image, feature, layer)


@cache_data(256)
def explain_score(
    workspace: Workspace, category: str, photo: Photo, layer: str
) -> NDArray[np.float32]:
    """Compute ExcitationBP of the classifier's score of a category on a photo, (h, w), >= 0."""
    for entry in workspace.list_modules():
        if entry.category == category:
            maps = load_maps(workspace, entry, photo, layer)
            if maps is not None:
                return maps.unpack_score()
    image = load_parts(photo).image
    with workspace.networks.take_turn():
        return workspace.networks.explain_score(category, image, layer)


def _make_measures_key(entry: ModuleEntry) -> object:
    return make_entry_key(entry), get_stamp(entry.metrics_path)


@cache_data(1024, also={ModuleEntry: _make_measures_key})
def load_measures(workspace: Workspace, entry: ModuleEntry) -> ModuleMeasures | None:
    """Read a module's measures, or None if it has not been measured."""
    return load_module_measures(workspace, entry)


def load_names(workspace: Workspace, entry: ModuleEntry) -> Mapping[int, str]:
    """Load the names of a module's x-features, counted from 0; other pages report damage."""
    return merge_names(load_own_names(entry), load_measures_or_none(workspace, entry))


def load_measures_or_none(workspace: Workspace, entry: ModuleEntry) -> ModuleMeasures | None:
    """Read a module's measures; None also if they are damaged, which other pages report."""
    try:
        return load_measures(workspace, entry)
    except ExplorerError:
        return None


def _make_accuracy_key(workspace: Workspace) -> object:
    return make_workspace_key(workspace), get_stamp(workspace.path / METRICS_FILE)


@cache_data(16, also={Workspace: _make_accuracy_key})
def load_accuracy(workspace: Workspace) -> ClassifierMeasures | None:
    """Read the accuracy of the network, or None if it has not been measured."""
    return load_classifier_measures(workspace)


def load_accuracy_or_none(workspace: Workspace) -> ClassifierMeasures | None:
    """Read the accuracy of the network; None also if it is damaged, which Overview reports."""
    try:
        return load_accuracy(workspace)
    except ExplorerError:
        return None


def _make_folders_key(workspace: Workspace) -> object:
    return make_workspace_key(workspace), stamp_photo_folders()


@cache_data(16, also={Workspace: _make_folders_key})
def list_refused_photos(workspace: Workspace) -> Mapping[Path, str]:
    """Return the user's folders of photos that do not fit the workspace, with the reasons."""
    return list_refused(workspace)


def _make_modules_key(workspace: Workspace) -> object:
    entries = workspace.list_modules()
    # As text, which Streamlit reads a hundred times as fast as tuples.
    return str((make_workspace_key(workspace), *map(make_entry_key, entries)))


@cache_data(8, also={Workspace: _make_modules_key})
def list_damaged(workspace: Workspace) -> Mapping[Path, str]:
    """Return the reasons why modules cannot be used, by the path of their file."""
    return {entry.path: reason for entry, reason in workspace.list_damaged()}
