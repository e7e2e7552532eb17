"""What lies where in a workspace folder, and the settings file that makes a folder one."""

import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from explorer.config import ExplorerError
from explorer.storage.atomic import write_text
from explorer.storage.reading import explain_os_error, is_inside, parse_json, read_regular

SCHEMA_VERSION = 1
SETTINGS_FILE = "workspace.json"
CLASSIFIER_FILE = "classifier.safetensors"
FINETUNING_FILE = "finetuning.safetensors"
FEATURES_FOLDER = "features"
MODULES_FOLDER = "modules"
MODULE_FILE = "module.safetensors"
METRICS_FILE = "metrics.json"
MAPS_FOLDER = "maps"
# What the measures of a module hold at least.
MEASURED = ("train", "test", "live", "locality")
RESULTS_FOLDER = "results"
RESULTS_NAME = "results"
SANITY_FOLDER = "sanity"
SANITY_NAME = "sanity"


class WorkspaceError(ExplorerError):
    """A workspace that cannot be opened or used; the message names the folder and the cure."""


@dataclass(frozen=True)
class WorkspaceSettings:
    """Contents of ``workspace.json``.

    Attributes
    ----------
    dataset : str
        CUB folder; a relative path is taken from the workspace.
    architecture : str
        Name of the classifier's architecture.
    z_layer : {"fc6", "fc7"}
        Layer that the modules read.
    held_out : str
        Which photos the classifier is not trained on; see `explorer.data.splits.get_held_out`.
    classifier_sha256 : str
        Hash of the classifier's weights; empty before there is one.
    half : bool
        Weights are rounded to and stored in half precision.
    schema_version : int
        Version of this format.
    """

    dataset: str
    architecture: str = "vgg_small"
    z_layer: str = "fc6"
    held_out: str = "official"
    classifier_sha256: str = ""
    half: bool = False
    schema_version: int = SCHEMA_VERSION

    def locate_dataset(self, workspace: Path) -> Path:
        """Return the CUB folder, absolute and with links followed; it may not be there."""
        # Not Path.resolve, which raises for links that go round in a circle.
        return Path(os.path.realpath(workspace / self.dataset))


@dataclass(frozen=True)
class ModuleEntry:
    """A module on disk.

    Attributes
    ----------
    category : str
        As in ``classes.txt``.
    run : str
        Name of its folder, told from its method, size and seed.
    path : Path
        Its weights' file.
    """

    category: str
    run: str
    path: Path

    @property
    def metrics_path(self) -> Path:
        """Where its measurements are kept."""
        return self.path.with_name(METRICS_FILE)

    def get_maps_path(self, stop: str) -> Path:
        """Name the file that keeps its maps at a layer; see `explorer.maps.cache`."""
        return self.path.with_name(MAPS_FOLDER) / f"{stop}.npy"


def name_run(*settings: Any) -> str:
    """Name a run by its method, size and seed, and by every setting that is not the default.

    Parameters
    ----------
    *settings : frozen dataclasses
        Together they have the fields ``method``, ``x_features`` and ``seed``.

    Examples
    --------
    ``srae-k5-s0``, ``nn-k5-s3``, ``srae-k5-s0-beta3.0-widths800x100``.
    """
    values = {name: value for part in settings for name, value in asdict(part).items()}
    defaults = {field.name: field.default for part in settings for field in fields(part)}
    words = [values["method"], f"k{values['x_features']}", f"s{values['seed']}"]
    for name, value in values.items():
        if name not in ("method", "x_features", "seed") and value != defaults[name]:
            text = "x".join(map(str, value)) if isinstance(value, tuple) else str(value)
            words.append(f"{name}{text}")
    return "-".join(words)


def format_run(run: str) -> str:
    """Turn a run's name into words: ``srae-k5-s0`` to ``SRAE, 5 x-features, seed 0``."""
    match = re.fullmatch(r"([a-z]+)-k(\d+)-s(\d+)((?:-[a-z_]+[\dx.e+-]*)*)", run)
    if match is None:
        return run
    others = re.findall(r"-([a-z_]+?)_?(\d[\dx.e+-]*)(?=-|$)", match[4])
    extra = "".join(f", {name.replace('_', ' ')} {value}" for name, value in others)
    return f"{match[1].upper()}, {match[2]} x-features, seed {match[3]}{extra}"


def get_module_entry(workspace: Path, category: str, run: str) -> ModuleEntry:
    """Name the place of a module, whether or not it is there."""
    return ModuleEntry(category, run, workspace / MODULES_FOLDER / category / run / MODULE_FILE)


def list_module_entries(workspace: Path) -> tuple[ModuleEntry, ...]:
    """List the modules on disk, by category, then run; their files are not opened."""
    folder = workspace / MODULES_FOLDER
    runs = (run for category in _list_folder(folder) for run in _list_folder(category))
    paths = [run / MODULE_FILE for run in runs if os.path.lexists(run / MODULE_FILE)]
    return tuple(ModuleEntry(path.parents[1].name, path.parent.name, path) for path in paths)


def _list_folder(folder: Path) -> list[Path]:
    """List what is in a folder, sorted; nothing where there is no folder, or it cannot be read."""
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def check_inside(workspace: Path, path: Path) -> None:
    """Raise `WorkspaceError` where links lead from a file's place out of its workspace.

    What a workspace holds may come from anybody: no link in it decides what else is read or
    overwritten. The data set, which ``workspace.json`` names, is a folder of its own.
    """
    if not is_inside(path, workspace):
        raise WorkspaceError(
            f"{path} leads out of the workspace, to {os.path.realpath(path)}, and is not followed. "
            "Put the file or folder itself in its place."
        )


def sort_modules(entries: Iterable[ModuleEntry]) -> list[ModuleEntry]:
    """Put the paper's own method first, which is the usual choice; else keep the order."""
    return sorted(entries, key=lambda entry: not entry.run.startswith("srae-"))


def get_usual_module(entries: Iterable[ModuleEntry], category: str) -> ModuleEntry | None:
    """Return the module of `category` that is shown where none is asked for, if there is one."""
    return next((e for e in sort_modules(entries) if e.category == category), None)


def save_settings(workspace: Path, settings: WorkspaceSettings) -> None:
    """Write ``workspace.json``."""
    write_json(workspace / SETTINGS_FILE, asdict(settings))


def load_settings(workspace: Path) -> WorkspaceSettings:
    """Read ``workspace.json``.

    Raises
    ------
    WorkspaceError
        When the folder is not a workspace, is damaged, or comes from a newer version.
    """
    file = workspace / SETTINGS_FILE
    check_inside(workspace, file)
    if not file.exists():
        raise WorkspaceError(
            f"{workspace} is not a workspace: it has no {SETTINGS_FILE}. Make one with "
            "`python -m explorer new`."
        )
    content = read_json(file)
    version = content.get("schema_version")
    if type(version) is not int or version < 1:
        raise WorkspaceError(f"{file} is damaged: it names no schema_version.")
    if version > SCHEMA_VERSION:
        raise WorkspaceError(
            f"{file} was written in format {version}; this version reads up to "
            f"{SCHEMA_VERSION}. Update the explorer."
        )
    kinds = {name: type(value) for name, value in asdict(WorkspaceSettings("")).items()}
    for name, value in content.items():
        if type(value) is not kinds.get(name):
            raise WorkspaceError(f"{file} is damaged: {name!r} is unknown or of the wrong type.")
    if "dataset" not in content:
        raise WorkspaceError(f"{file} is damaged: it names no dataset.")
    if not content["dataset"].isprintable():
        raise WorkspaceError(f"{file} is damaged: its dataset is not the name of a folder.")
    return WorkspaceSettings(**content)


def read_json(file: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises
    ------
    WorkspaceError
        When the file cannot be read or does not hold a JSON object.
    """
    try:
        content = parse_json(read_regular(file))
    except OSError as error:
        raise WorkspaceError(f"{file} cannot be read: {explain_os_error(error)}.") from error
    except ValueError as error:
        reason = str(error).rstrip(".")
        raise WorkspaceError(f"{file} cannot be read: {reason}.") from error
    if not isinstance(content, dict):
        raise WorkspaceError(f"{file} is damaged: it does not hold a JSON object.")
    return content


def write_json(file: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON object for people and programs; NaN is refused."""
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    write_text(file, text + "\n")
