"""The part of a workspace that is read without a network: its photos and its list of modules.

Nothing here imports torch, so that the first page can be drawn before torch is there.
"""

import os
from pathlib import Path
from threading import RLock

from explorer.config import ExplorerError
from explorer.data.cub import CubDataset, load_cub
from explorer.data.cub_files import DatasetError, check_layout
from explorer.data.photo import Photo
from explorer.data.splits import get_held_out
from explorer.nn.records import ModuleRecord, load_module_record
from explorer.workspace.layout import (
    SETTINGS_FILE,
    ModuleEntry,
    WorkspaceError,
    check_inside,
    list_module_entries,
)
from explorer.workspace.settings import WorkspaceSettings, load_settings, save_settings

PAINTED_MARK = "traits.json"


class WorkspaceFiles:
    """The files of a workspace: settings, data set, and the list of its modules.

    Safe to share between threads: everything that is loaded is read-only.

    Parameters
    ----------
    path : Path
        Folder with a ``workspace.json``.

    Raises
    ------
    WorkspaceError
        When the folder is not a workspace, or one from a newer version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.settings = load_settings(self.path)
        # One lock for everything that is loaded on first use: two could wait for each other.
        self.lock = RLock()
        self._dataset: CubDataset | None = None
        self._is_painted: bool | None = None
        self._held_out: tuple[Photo, ...] | None = None

    def replace_settings(self, settings: WorkspaceSettings) -> None:
        """Use other settings from here on, and write them to ``workspace.json``."""
        save_settings(self.path, settings)
        self.settings = settings

    @property
    def dataset(self) -> CubDataset:
        """The annotations of all photos; no image is read."""
        with self.lock:
            if self._dataset is None:
                self._dataset = self._load_dataset()
            return self._dataset

    def _load_dataset(self) -> CubDataset:
        root = self.settings.locate_dataset(self.path)
        if not os.path.isdir(root):  # noqa: PTH112 (no error where a name is too long)
            raise WorkspaceError(
                f"{self.path / SETTINGS_FILE} names the data set {root}, but there is no such "
                "folder. Put it back, or correct 'dataset' in that file."
            )
        try:
            check_layout(root)
        except DatasetError as error:
            raise WorkspaceError(f"{error} {self.path / SETTINGS_FILE} names this one.") from error
        return load_cub(root)

    @property
    def is_painted(self) -> bool:
        """Whether the birds are painted ones, not photographs."""
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

    def list_modules(self) -> tuple[ModuleEntry, ...]:
        """List the modules on disk, by category, then run; their files are not opened."""
        known = set(self.dataset.categories)
        return tuple(entry for entry in list_module_entries(self.path) if entry.category in known)

    def list_damaged(self) -> tuple[tuple[ModuleEntry, str], ...]:
        """List the modules that cannot be used, each with the reason; weights are not looked at."""
        damaged = []
        for entry in self.list_modules():
            try:
                self.load_record(entry)
            except ExplorerError as error:
                damaged.append((entry, str(error)))
        return tuple(damaged)

    def check_module(self, entry: ModuleEntry) -> None:
        """Raise `WorkspaceError` where links lead from a module's place out of the workspace."""
        check_inside(self.path, entry.path)

    def load_record(self, entry: ModuleEntry) -> ModuleRecord:
        """Read a module's own description without loading any network.

        Raises
        ------
        ExplorerError
            When the file is damaged, or explains another category, network or layer.
        """
        self.check_module(entry)
        record = load_module_record(entry.path)
        self.check_record(entry, record)
        return record

    def check_record(self, entry: ModuleEntry, record: ModuleRecord) -> None:
        """Raise `WorkspaceError` where a module is not one of this folder and classifier."""
        if record.category != entry.category:
            raise WorkspaceError(
                f"{entry.path} explains {record.category}, but lies in the folder of "
                f"{entry.category}. Move it back, or train the module again."
            )
        own = self.settings
        if record.backbone_sha256 != own.classifier_sha256:
            raise WorkspaceError(
                f"{entry.path} was trained on another network (hash "
                f"{record.backbone_sha256[:12]}…) than the one that "
                f"{SETTINGS_FILE} names ({own.classifier_sha256[:12]}…). Train the module again."
            )
        if record.z_layer != own.z_layer:
            raise WorkspaceError(
                f"{entry.path} reads layer {record.z_layer[:40]}, but {SETTINGS_FILE} names "
                f"{own.z_layer[:40]}. Correct that, or train the module again."
            )
