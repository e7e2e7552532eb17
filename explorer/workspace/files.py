"""The parts of a workspace that need no network: settings, photos and the list of modules.

Nothing here imports torch, so that the first page can be shown before torch is imported.
"""

import os
from dataclasses import replace
from pathlib import Path
from threading import RLock

from explorer.config import CUB_ROOT_VARIABLE, ExplorerError
from explorer.data.cub import CubDataset, load_cub
from explorer.data.cub_files import DatasetError, check_layout
from explorer.data.photo import Photo
from explorer.data.photo_folders import find_photos_elsewhere
from explorer.data.splits import get_held_out
from explorer.nn.records import ModuleRecord, load_module_record
from explorer.workspace.layout import (
    PARTS_FILE,
    SETTINGS_FILE,
    ModuleEntry,
    WorkspaceError,
    check_inside,
    list_module_entries,
)
from explorer.workspace.settings import WorkspaceSettings, load_settings, save_settings

PAINTED_MARK = "traits.json"


class WorkspaceFiles:
    """The settings, the data set and the list of modules of a workspace.

    Can be shared between threads, as all loaded data is read-only.

    Parameters
    ----------
    path : Path
        Folder with a ``workspace.json``.

    Raises
    ------
    FileError
        When ``workspace.json`` cannot be read or is not a JSON object.
    WorkspaceError
        When the folder is not a workspace, ``workspace.json`` has invalid contents, or it was
        written by a newer version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.settings = load_settings(self.path)
        # A single lock for all that is loaded on first use, as threads could deadlock with two.
        self.lock = RLock()
        self._dataset: CubDataset | None = None
        self._is_painted: bool | None = None
        self._held_out: tuple[Photo, ...] | None = None

    def replace_settings(self, settings: WorkspaceSettings) -> None:
        """Replace the settings, here and in ``workspace.json``."""
        save_settings(self.path, settings)
        with self.lock:
            self.settings = settings
            if self._dataset is not None:
                self._dataset = replace(self._dataset, identical=settings.identical or ())
            self._held_out = None

    @property
    def dataset(self) -> CubDataset:
        """The annotations of all photos; no image is read.

        Where the data set has tables alone, the photos are those of the user's own copy of CUB,
        if there is one (see `explorer.data.photo_folders`).
        """
        with self.lock:
            if self._dataset is None:
                self._dataset = self._load_dataset()
            return self._dataset

    def _load_dataset(self) -> CubDataset:
        root = self.settings.locate_dataset(self.path)
        if not os.path.isdir(root):  # noqa: PTH112 (no error if a name is too long)
            raise WorkspaceError(
                f"{self.path / SETTINGS_FILE} names the data set {root}, which does not exist. "
                "Restore the folder, or correct 'dataset' in that file."
            )
        try:
            check_layout(root)
        except DatasetError as error:
            raise WorkspaceError(f"{error} It is named in {self.path / SETTINGS_FILE}.") from error
        dataset = replace(load_cub(root), identical=self.settings.identical or ())
        return dataset if dataset.has_photos else find_photos_elsewhere(dataset)

    def require_photos(self) -> None:
        """Raise `WorkspaceError` if there are no photos to compute from."""
        if not self.dataset.has_photos:
            raise WorkspaceError(
                f"The photos of {self.path} are not on this computer. Fetch them with "
                f"`python -m explorer fetch cub`, or name your CUB folder by {CUB_ROOT_VARIABLE}."
            )

    @property
    def is_painted(self) -> bool:
        """Whether the data set consists of painted birds, not photographs."""
        with self.lock:
            if self._is_painted is None:
                self._is_painted = (self.dataset.root / PAINTED_MARK).is_file()
            return self._is_painted

    @property
    def held_out(self) -> tuple[Photo, ...]:
        """Photos that the classifier was not trained on."""
        with self.lock:
            if self._held_out is None:
                self._held_out = self._find_held_out()
            return self._held_out

    def _find_held_out(self) -> tuple[Photo, ...]:
        dataset = self.dataset
        try:
            return get_held_out(dataset, self.settings.held_out)
        except ExplorerError as error:
            file = self.path / SETTINGS_FILE
            raise WorkspaceError(f"{file}, 'held_out': {error}") from error

    @property
    def has_part_finder(self) -> bool:
        """Whether there is a file of a part finder, usable or not."""
        return os.path.lexists(self.path / PARTS_FILE)

    def list_modules(self) -> tuple[ModuleEntry, ...]:
        """List the modules on disk by category, then run, without opening their files."""
        known = set(self.dataset.categories)
        return tuple(entry for entry in list_module_entries(self.path) if entry.category in known)

    def list_damaged(self) -> tuple[tuple[ModuleEntry, str], ...]:
        """List the modules that cannot be used, with the reason; weights are not checked."""
        damaged = []
        for entry in self.list_modules():
            try:
                self.load_record(entry)
            except ExplorerError as error:
                damaged.append((entry, str(error)))
        return tuple(damaged)

    def check_module(self, entry: ModuleEntry) -> None:
        """Raise `WorkspaceError` if links lead from a module's path out of the workspace."""
        check_inside(self.path, entry.path)

    def load_record(self, entry: ModuleEntry) -> ModuleRecord:
        """Read the description of a module without loading a network.

        Raises
        ------
        ExplorerError
            When the file is damaged, or the module belongs to another category, network or layer.
        """
        self.check_module(entry)
        record = load_module_record(entry.path)
        self.check_record(entry, record)
        return record

    def check_record(self, entry: ModuleEntry, record: ModuleRecord) -> None:
        """Raise `WorkspaceError` if a module belongs to another category, network or layer."""
        if record.category != entry.category:
            raise WorkspaceError(
                f"{entry.path} explains {record.category}, but is in the folder of "
                f"{entry.category}. Move it back, or train the module again."
            )
        own = self.settings
        if record.backbone_sha256 != own.classifier_sha256:
            raise WorkspaceError(
                f"{entry.path} was trained on another network (hash "
                f"{record.backbone_sha256[:12]}…) than the one named in {SETTINGS_FILE} "
                f"({own.classifier_sha256[:12]}…). Train the module again."
            )
        if record.z_layer != own.z_layer:
            raise WorkspaceError(
                f"{entry.path} reads layer {record.z_layer[:40]}, but {SETTINGS_FILE} names "
                f"{own.z_layer[:40]}. Correct that, or train the module again."
            )
