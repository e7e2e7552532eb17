"""The layout of a workspace folder: names and paths of its files."""

import os
from dataclasses import dataclass
from pathlib import Path

from explorer.config import ExplorerError
from explorer.storage.listing import list_folder
from explorer.storage.reading import is_inside

SETTINGS_FILE = "workspace.json"
CLASSIFIER_FILE = "classifier.safetensors"
FINETUNING_FILE = "finetuning.safetensors"
FINETUNING_FOLDER = "finetuning"
FEATURES_FOLDER = "features"
MODULES_FOLDER = "modules"
MODULE_FILE = "module.safetensors"
METRICS_FILE = "metrics.json"
REFERENCES_FILE = "references.safetensors"
PARTS_FILE = "parts.safetensors"
PARTS_FOLDER = "parts"
MAPS_FOLDER = "maps"
RESULTS_FOLDER = "results"
RESULTS_NAME = "results"
SANITY_FOLDER = "sanity"
SANITY_NAME = "sanity"


class WorkspaceError(ExplorerError):
    """A workspace that cannot be opened or used; the message names the folder and the cure."""


@dataclass(frozen=True)
class ModuleName:
    """What a module is called in every workspace.

    Attributes
    ----------
    category : str
        As in ``classes.txt``.
    run : str
        Name of its folder, made of method, size and seed.
    """

    category: str
    run: str

    @property
    def title(self) -> str:
        """Category and run."""
        return f"{self.category}, {self.run}"

    def get_entry(self, workspace: Path) -> "ModuleEntry":
        """Return the entry of the module in a workspace, whether or not it exists."""
        return get_module_entry(workspace, self.category, self.run)


@dataclass(frozen=True)
class ModuleEntry(ModuleName):
    """A module on disk.

    Attributes
    ----------
    category, run : str
        See `ModuleName`.
    path : Path
        The file of its weights.
    """

    path: Path

    @property
    def metrics_path(self) -> Path:
        """The file of its measures."""
        return self.path.with_name(METRICS_FILE)

    def get_maps_path(self, stop: str) -> Path:
        """Return the path of the cached maps at a layer; see `explorer.maps.cache`."""
        return self.path.with_name(MAPS_FOLDER) / f"{stop}.npy"


def get_module_entry(workspace: Path, category: str, run: str) -> ModuleEntry:
    """Return the entry of a module, whether or not it exists."""
    return ModuleEntry(category, run, workspace / MODULES_FOLDER / category / run / MODULE_FILE)


def list_module_entries(workspace: Path) -> tuple[ModuleEntry, ...]:
    """List the modules on disk by category, then run, without opening their files."""
    folder = workspace / MODULES_FOLDER
    runs = (run for category in list_folder(folder) for run in list_folder(category))
    paths = [run / MODULE_FILE for run in runs if os.path.lexists(run / MODULE_FILE)]
    return tuple(ModuleEntry(path.parents[1].name, path.parent.name, path) for path in paths)


def check_inside(workspace: Path, path: Path) -> None:
    """Raise `WorkspaceError` if a path leads out of its workspace through links.

    The contents of a workspace are not trusted, so its links must not decide which other files are
    read or overwritten. The data set, which ``workspace.json`` names, may be anywhere.
    """
    if not is_inside(path, workspace):
        raise WorkspaceError(
            f"{path} leads out of the workspace through a link, to {os.path.realpath(path)}. Such "
            "links are not followed. Replace the link with the file or folder itself."
        )


def list_unfinished_finetuning(workspace: Path) -> list[Path]:
    """List what an unfinished fine-tuning has left in a workspace, the snapshot first."""
    places = [workspace / name for name in (FINETUNING_FILE, FINETUNING_FOLDER)]
    return [path for path in places if os.path.lexists(path)]
