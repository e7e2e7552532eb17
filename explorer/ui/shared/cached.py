"""What the pages need of the workspace, each computed once and shared by all sessions.

Every key holds what the result depends on: the module's file and its time of change, the hash of
the classifier's weights, the photo's file and its time of change, and the map layer. Colours,
opacity and the chosen x-feature are in none of the keys of what a network computes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer.analysis.locality import PartHistogram
from explorer.config import ExplorerError, is_public
from explorer.storage.reading import Stamp, read_stamp
from explorer.ui.shared import pictures, state
from explorer.workspace.layout import (
    METRICS_FILE,
    RESULTS_FOLDER,
    RESULTS_NAME,
    SANITY_NAME,
    SETTINGS_FILE,
    ModuleEntry,
)

if TYPE_CHECKING:
    # The facade brings torch along, which takes seconds to import: the page is drawn before.
    from explorer.attribution.explain import Explanation
    from explorer.data.cub import Photo
    from explorer.evaluation.results import Results
    from explorer.measuring.parts import PhotoParts
    from explorer.workspace.workspace import Workspace

Key = tuple[str | int, ...]


def open_workspace() -> "Workspace":
    """Open the workspace that was chosen in the sidebar, on the device that was chosen there.

    Raises
    ------
    ExplorerError
        When there is none at that place, or it cannot be read.
    """
    path = state.get_workspace_path()
    settings = _get_stamp(path / SETTINGS_FILE)
    return _open_workspace(str(path), settings, state.get_device(), is_public())


# Few, so that a workspace whose classifier was replaced does not keep the old one in memory long.
@st.cache_resource(show_spinner=False, max_entries=4)
def _open_workspace(path: str, stamp: Stamp, device: str, read_only: bool) -> "Workspace":  # noqa: ARG001
    from explorer.workspace.read_only import ReadOnlyWorkspace  # noqa: PLC0415
    from explorer.workspace.workspace import Workspace  # noqa: PLC0415

    workspace = (ReadOnlyWorkspace if read_only else Workspace)(Path(path), device)
    _ = workspace.dataset
    return workspace


@dataclass(frozen=True)
class SplitSides:
    """Which photos a module learnt from and which it was tested on, by image id."""

    train: frozenset[int]
    test: frozenset[int]

    def name_side(self, image_id: int) -> str:
        """Return ``"test"``, ``"train"``, or ``"unused"`` for a photo that is in neither."""
        if image_id in self.test:
            return "test"
        return "train" if image_id in self.train else "unused"

    def name_sides(self, image_ids: NDArray[np.int64]) -> NDArray[np.str_]:
        """Return the same for many photos, in their order."""
        return np.array([self.name_side(int(image_id)) for image_id in image_ids], dtype=np.str_)


def load_split(workspace: "Workspace", entry: ModuleEntry) -> SplitSides:
    """Read a module's split from its file, without loading a network."""
    return _load_split(workspace, entry, make_module_key(workspace, entry))


@st.cache_data(show_spinner=False, max_entries=256)
def _load_split(_workspace: "Workspace", _entry: ModuleEntry, key: Key) -> SplitSides:  # noqa: ARG001
    split = _workspace.load_record(_entry).split
    return SplitSides(frozenset(split.get("train", ())), frozenset(split.get("test", ())))


def load_parts(photo: "Photo", workspace: "Workspace") -> "PhotoParts":
    """Load a photo with its box and parts."""
    return _load_parts(workspace, photo, make_photo_key(photo))


@st.cache_data(show_spinner=False, max_entries=64)
def _load_parts(_workspace: "Workspace", _photo: "Photo", key: Key) -> "PhotoParts":  # noqa: ARG001
    return _workspace.load_parts(_photo)


def load_thumbnail(workspace: "Workspace", photo: "Photo") -> bytes:
    """Load a small square JPEG of a photo."""
    return _load_thumbnail(workspace, photo, make_photo_key(photo))


@st.cache_data(show_spinner=False, max_entries=4096)
def _load_thumbnail(_workspace: "Workspace", _photo: "Photo", key: Key) -> bytes:  # noqa: ARG001
    image = load_parts(_photo, _workspace).image
    return pictures.encode_jpeg(pictures.make_thumbnail(image))


def load_boxed_photo(
    workspace: "Workspace", photo: "Photo", side: int = pictures.LARGE_SIDE
) -> bytes:
    """Load a JPEG of a photo with its box, its longer side about `side` pixels."""
    return _load_boxed_photo(workspace, photo, make_photo_key(photo), side)


@st.cache_data(show_spinner=False, max_entries=256)
def _load_boxed_photo(
    _workspace: "Workspace",
    _photo: "Photo",
    key: Key,  # noqa: ARG001
    side: int,
) -> bytes:
    parts = load_parts(_photo, _workspace)
    shown = pictures.fit_for_display(parts.image, side)
    return pictures.encode_jpeg(pictures.draw_box(shown, parts.box, parts.image.shape[1]))


def explain(
    workspace: "Workspace", entry: ModuleEntry, photo: "Photo", layer: str
) -> "Explanation":
    """Explain a photo; the network runs only where neither disk nor memory have it.

    Maps from disk are rounded as `explorer.maps.cache` says; scores and activations are exact.
    """
    return _explain(workspace, entry, photo, make_map_key(workspace, entry, photo, layer), layer)


@st.cache_data(show_spinner=False, max_entries=256)
def _explain(
    _workspace: "Workspace",
    _entry: ModuleEntry,
    _photo: "Photo",
    key: Key,  # noqa: ARG001
    layer: str,
) -> "Explanation":
    maps = _workspace.load_maps(_entry, _photo, layer)
    if maps is not None:
        return maps.unpack_explanation()
    return _workspace.explain(_entry, load_parts(_photo, _workspace).image, layer)


def explain_score(
    workspace: "Workspace", category: str, photo: "Photo", layer: str
) -> NDArray[np.float32]:
    """Draw ExcitationBP of the classifier's own score of a category on a photo, (h, w), >= 0."""
    key = (*make_classifier_key(workspace), *make_photo_key(photo), category, layer)
    return _explain_score(workspace, category, photo, key, layer)


@st.cache_data(show_spinner=False, max_entries=256)
def _explain_score(
    _workspace: "Workspace",
    _category: str,
    _photo: "Photo",
    key: Key,  # noqa: ARG001
    layer: str,
) -> NDArray[np.float32]:
    for entry in _workspace.list_modules():
        maps = _workspace.load_maps(entry, _photo, layer) if entry.category == _category else None
        if maps is not None:
            return maps.unpack_score()
    return _workspace.explain_score(_category, load_parts(_photo, _workspace).image, layer)


def explain_by_gradient(
    workspace: "Workspace", category: str, photo: "Photo"
) -> NDArray[np.float32]:
    """Draw Grad-CAM of the classifier's own score of a category on a photo, (h, w), >= 0."""
    key = (*make_classifier_key(workspace), *make_photo_key(photo), category)
    return _explain_by_gradient(workspace, category, photo, key)


@st.cache_data(show_spinner=False, max_entries=256)
def _explain_by_gradient(
    _workspace: "Workspace",
    _category: str,
    _photo: "Photo",
    key: Key,  # noqa: ARG001
) -> NDArray[np.float32]:
    return _workspace.explain_by_gradient(_category, load_parts(_photo, _workspace).image)


def measure_parts(
    workspace: "Workspace", entry: ModuleEntry, photo: "Photo", layer: str
) -> PartHistogram:
    """Measure a photo's maps, as computed and not as drawn, against its parts."""
    key = make_map_key(workspace, entry, photo, layer)
    return _measure_parts(workspace, entry, photo, key, layer)


@st.cache_data(show_spinner=False, max_entries=1024)
def _measure_parts(
    _workspace: "Workspace",
    _entry: ModuleEntry,
    _photo: "Photo",
    key: Key,  # noqa: ARG001
    layer: str,
) -> PartHistogram:
    parts = load_parts(_photo, _workspace)
    return parts.measure(explain(_workspace, _entry, _photo, layer).maps)


def load_metrics(workspace: "Workspace", entry: ModuleEntry) -> Mapping[str, Any] | None:
    """Read a module's measures, or None where it has not been evaluated."""
    key = (*make_module_key(workspace, entry), *_get_stamp(entry.metrics_path))
    return _load_metrics(workspace, entry, key)


@st.cache_data(show_spinner=False, max_entries=1024)
def _load_metrics(
    _workspace: "Workspace",
    _entry: ModuleEntry,
    key: Key,  # noqa: ARG001
) -> Mapping[str, Any] | None:
    return _workspace.load_metrics(_entry)


def load_metrics_or_none(workspace: "Workspace", entry: ModuleEntry) -> Mapping[str, Any] | None:
    """Read a module's measures; None also where they are damaged, which is told where they show."""
    try:
        return load_metrics(workspace, entry)
    except ExplorerError:
        return None


def load_classifier_metrics(workspace: "Workspace") -> Mapping[str, Any] | None:
    """Read how accurate the network is, or None where that has not been measured."""
    file = workspace.path / METRICS_FILE
    return _load_classifier_metrics(workspace, make_classifier_key(workspace), _get_stamp(file))


@st.cache_data(show_spinner=False, max_entries=16)
def _load_classifier_metrics(
    _workspace: "Workspace",
    key: Key,  # noqa: ARG001
    stamp: Stamp,  # noqa: ARG001
) -> Mapping[str, Any] | None:
    return _workspace.load_classifier_metrics()


def load_classifier_metrics_or_none(workspace: "Workspace") -> Mapping[str, Any] | None:
    """Read how accurate the network is; None also where that is damaged, which Overview tells."""
    try:
        return load_classifier_metrics(workspace)
    except ExplorerError:
        return None


def list_damaged(workspace: "Workspace") -> Mapping[Path, str]:
    """Return why modules cannot be used, by the path of their file."""
    key = tuple(make_module_key(workspace, entry) for entry in workspace.list_modules())
    return _list_damaged(workspace, key)


@st.cache_data(show_spinner=False, max_entries=8)
def _list_damaged(_workspace: "Workspace", key: tuple[Key, ...]) -> Mapping[Path, str]:  # noqa: ARG001
    return {entry.path: reason for entry, reason in _workspace.list_damaged()}


def load_results(workspace: "Workspace") -> "Results | None":
    """Read the comparison of methods, or None where there is none."""
    file = workspace.path / RESULTS_FOLDER / f"{RESULTS_NAME}.csv"
    return _load_results(str(workspace.path), _get_stamp(file))


@st.cache_data(show_spinner=False, max_entries=4)
def _load_results(path: str, stamp: Stamp) -> "Results | None":  # noqa: ARG001
    from explorer.evaluation.results import load_results  # noqa: PLC0415

    return load_results(Path(path))


def load_sanity(workspace: "Workspace") -> "Results | None":
    """Read the sanity checks, or None where they have not been run."""
    file = workspace.path / RESULTS_FOLDER / f"{SANITY_NAME}.csv"
    return _load_sanity(str(workspace.path), _get_stamp(file))


@st.cache_data(show_spinner=False, max_entries=4)
def _load_sanity(path: str, stamp: Stamp) -> "Results | None":  # noqa: ARG001
    from explorer.evaluation.sanity import load_sanity  # noqa: PLC0415

    return load_sanity(Path(path))


def make_module_key(workspace: "Workspace", entry: ModuleEntry) -> Key:
    """Name a module as it is on disk now, with the classifier it stands on."""
    return (*make_classifier_key(workspace), str(entry.path), *_get_stamp(entry.path))


def make_classifier_key(workspace: "Workspace") -> Key:
    """Name a workspace and the classifier in it."""
    return (str(workspace.path), workspace.settings.classifier_sha256)


def make_photo_key(photo: "Photo") -> Key:
    """Name a photo as it is on disk now, with its annotations."""
    return (str(photo.path), *_get_stamp(photo.path), photo.image_id, str(photo.box))


def make_map_key(workspace: "Workspace", entry: ModuleEntry, photo: "Photo", layer: str) -> Key:
    """Name the maps of a module on a photo, taken at a layer."""
    return (*make_module_key(workspace, entry), *make_photo_key(photo), layer)


def _get_stamp(path: Path) -> Stamp:
    """Return the stamp of a file, or zeros where there is none."""
    try:
        return read_stamp(path)
    except OSError:
        return 0, 0, 0
