"""What a workspace holds that can be read without a network: its birds and what is measured.

Nothing here imports torch, which takes seconds: the first page is drawn from it before.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from threading import RLock
from typing import Any

from explorer.config import ExplorerError
from explorer.data.cub import CubDataset, Photo, load_cub
from explorer.data.cub_tables import DatasetError, check_layout
from explorer.data.splits import get_held_out
from explorer.measuring.parts import PhotoParts, load_parts
from explorer.measuring.records import find_fault_of_accuracy, find_fault_of_measures
from explorer.nn.records import ModuleRecord, load_module_record
from explorer.workspace.layout import (
    METRICS_FILE,
    SETTINGS_FILE,
    ModuleEntry,
    WorkspaceError,
    check_inside,
    list_module_entries,
    load_settings,
    read_json,
)

PAINTED_MARK = "traits.json"


class WorkspaceFiles:
    """The files of a workspace: settings, data set, and the list and measures of its modules.

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
        # One lock for all that is loaded when it is first needed: two could wait for each other.
        self._lock = RLock()
        self._dataset: CubDataset | None = None
        self._is_painted: bool | None = None
        self._held_out: tuple[Photo, ...] | None = None

    @property
    def dataset(self) -> CubDataset:
        """The annotations of all photos; no image is read."""
        with self._lock:
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
        with self._lock:
            if self._is_painted is None:
                self._is_painted = (self.dataset.root / PAINTED_MARK).is_file()
            return self._is_painted

    @property
    def held_out(self) -> tuple[Photo, ...]:
        """Photos that the classifier was not trained on."""
        with self._lock:
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

    def load_classifier_metrics(self) -> dict[str, Any] | None:
        """Read what `measure_classifier` stored; None where it has not run on this classifier.

        Raises
        ------
        WorkspaceError
            When the file is damaged.
        """
        file = self.path / METRICS_FILE
        check_inside(self.path, file)
        measured = read_json(file) if os.path.lexists(file) else {}
        if not measured or measured.get("classifier_sha256") != self.settings.classifier_sha256:
            return None
        fault = find_fault_of_accuracy(measured, len(self.dataset.categories))
        if fault:
            raise WorkspaceError(
                f"{file} is damaged: {fault}. Measure the network again with "
                f"`python -m explorer evaluate {self.path}`."
            )
        return measured

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

    def load_parts(self, photo: Photo) -> PhotoParts:
        """Load a photo with its box and parts, moved inside it where they overhang."""
        return load_parts(photo)

    def load_metrics(self, entry: ModuleEntry) -> dict[str, Any] | None:
        """Read what `evaluate_module` wrote; None where it has not run on these very weights.

        Measures that outlive their module, because it was trained again while they were taken or
        a process was killed between the two, are no measures of its successor.

        Raises
        ------
        WorkspaceError
            When the file is damaged.
        """
        check_inside(self.path, entry.metrics_path)
        if not os.path.lexists(entry.metrics_path):
            return None
        metrics = read_json(entry.metrics_path)
        if metrics.get("classifier_sha256") != self.settings.classifier_sha256:
            return None
        if not self._are_of_its_weights(metrics, entry):
            return None
        fault = find_fault_of_measures(metrics)
        if fault:
            raise WorkspaceError(
                f"{entry.metrics_path} is damaged: {fault}. Measure the module again with "
                f"`python -m explorer evaluate {self.path}`."
            )
        return metrics

    def _are_of_its_weights(self, metrics: Mapping[str, Any], entry: ModuleEntry) -> bool:
        try:
            record = self.load_record(entry)
        except ExplorerError:  # told where the module itself is opened
            return True
        return bool(metrics.get("weights_sha256", "") == record.weights_sha256)
