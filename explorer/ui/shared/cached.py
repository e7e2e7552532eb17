"""What the pages need of the workspace, each computed once and shared by all sessions."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from explorer.analysis.locality import PartHistogram
from explorer.config import ExplorerError
from explorer.data.photo import Photo
from explorer.evaluation.results import Results
from explorer.evaluation.results import load_results as read_results
from explorer.evaluation.sanity_results import load_sanity as read_sanity
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
from explorer.workspace.layout import (
    METRICS_FILE,
    RESULTS_FOLDER,
    RESULTS_NAME,
    SANITY_NAME,
    SETTINGS_FILE,
    ModuleEntry,
)
from explorer.workspace.workspace import Workspace


def open_workspace() -> Workspace:
    """Open the workspace that was chosen in the sidebar, on the device that was chosen there.

    Raises
    ------
    ExplorerError
        When there is none at that place, or it cannot be read.
    """
    workspace: Workspace = _open_workspace(state.get_workspace_path(), state.get_device())
    return workspace


# Few, so that a workspace whose classifier was replaced does not keep the old one in memory long.
@cache_resource(4, also={type(Path()): lambda path: (str(path), get_stamp(path / SETTINGS_FILE))})
def _open_workspace(path: Path, device: str) -> Workspace:
    workspace = Workspace(path, device)
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


@cache_data(256)
def load_split(workspace: Workspace, entry: ModuleEntry) -> SplitSides:
    """Read a module's split from its file, without loading a network."""
    split = workspace.load_record(entry).split
    return SplitSides(frozenset(split.get("train", ())), frozenset(split.get("test", ())))


@cache_data(64)
def load_parts(photo: Photo) -> PhotoParts:
    """Load a photo with its box and parts."""
    return read_parts(photo)


@cache_data(4096)
def load_thumbnail(photo: Photo) -> bytes:
    """Load a small square JPEG of a photo."""
    return pictures.encode_jpeg(pictures.make_thumbnail(load_parts(photo).image))


@cache_data(256)
def load_boxed_photo(photo: Photo, side: int = pictures.LARGE_SIDE) -> bytes:
    """Load a JPEG of a photo with its box, its longer side about `side` pixels."""
    parts = load_parts(photo)
    shown = pictures.fit_for_display(parts.image, side)
    return pictures.encode_jpeg(pictures.draw_box(shown, parts.box, parts.image.shape[1]))


@cache_data(256)
def explain(workspace: Workspace, entry: ModuleEntry, photo: Photo, layer: str) -> Explanation:
    """Explain a photo; the network runs only where neither disk nor memory have the maps.

    Maps from disk are rounded as `explorer.maps.cache` says; scores and activations are exact.
    """
    maps = load_maps(workspace, entry, photo, layer)
    if maps is not None:
        return maps.unpack_explanation()
    return workspace.networks.explain(entry, load_parts(photo).image, layer)


@cache_data(256)
def explain_score(
    workspace: Workspace, category: str, photo: Photo, layer: str
) -> NDArray[np.float32]:
    """Draw ExcitationBP of the classifier's own score of a category on a photo, (h, w), >= 0."""
    for entry in workspace.list_modules():
        if entry.category == category:
            maps = load_maps(workspace, entry, photo, layer)
            if maps is not None:
                return maps.unpack_score()
    return workspace.networks.explain_score(category, load_parts(photo).image, layer)


@cache_data(256)
def explain_by_gradient(workspace: Workspace, category: str, photo: Photo) -> NDArray[np.float32]:
    """Draw Grad-CAM of the classifier's own score of a category on a photo, (h, w), >= 0."""
    return workspace.networks.explain_by_gradient(category, load_parts(photo).image)


@cache_data(1024)
def measure_parts(
    workspace: Workspace, entry: ModuleEntry, photo: Photo, layer: str
) -> PartHistogram:
    """Measure a photo's maps, as computed and not as drawn, against its parts."""
    return load_parts(photo).measure(explain(workspace, entry, photo, layer).maps)


def _make_measures_key(entry: ModuleEntry) -> object:
    return make_entry_key(entry), get_stamp(entry.metrics_path)


@cache_data(1024, also={ModuleEntry: _make_measures_key})
def load_measures(workspace: Workspace, entry: ModuleEntry) -> ModuleMeasures | None:
    """Read a module's measures, or None where it has not been measured."""
    return load_module_measures(workspace, entry)


def load_measures_or_none(workspace: Workspace, entry: ModuleEntry) -> ModuleMeasures | None:
    """Read a module's measures; None also where they are damaged, which is told elsewhere."""
    try:
        return load_measures(workspace, entry)
    except ExplorerError:
        return None


def _make_accuracy_key(workspace: Workspace) -> object:
    return make_workspace_key(workspace), get_stamp(workspace.path / METRICS_FILE)


@cache_data(16, also={Workspace: _make_accuracy_key})
def load_accuracy(workspace: Workspace) -> ClassifierMeasures | None:
    """Read how accurate the network is, or None where that has not been measured."""
    return load_classifier_measures(workspace)


def load_accuracy_or_none(workspace: Workspace) -> ClassifierMeasures | None:
    """Read how accurate the network is; None also where that is damaged, which Overview tells."""
    try:
        return load_accuracy(workspace)
    except ExplorerError:
        return None


def _make_modules_key(workspace: Workspace) -> object:
    entries = workspace.list_modules()
    return make_workspace_key(workspace), tuple(make_entry_key(entry) for entry in entries)


@cache_data(8, also={Workspace: _make_modules_key})
def list_damaged(workspace: Workspace) -> Mapping[Path, str]:
    """Return why modules cannot be used, by the path of their file."""
    return {entry.path: reason for entry, reason in workspace.list_damaged()}


def _make_results_key(workspace: Workspace) -> object:
    folder = workspace.path / RESULTS_FOLDER
    return str(folder), *(get_stamp(folder / f"{n}.csv") for n in (RESULTS_NAME, SANITY_NAME))


@cache_data(4, also={Workspace: _make_results_key})
def load_results(workspace: Workspace) -> Results | None:
    """Read the comparison of methods, or None where there is none."""
    return read_results(workspace.path)


@cache_data(4, also={Workspace: _make_results_key})
def load_sanity(workspace: Workspace) -> Results | None:
    """Read the sanity checks, or None where they have not been run."""
    return read_sanity(workspace.path)
