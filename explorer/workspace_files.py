"""What a workspace holds that can be read without a network: its birds and what is measured.

Nothing here imports torch, which takes seconds: the first page is drawn from it before.
"""

from pathlib import Path
from threading import RLock
from typing import Any

from explorer.data.cub import CubDataset, Photo, load_cub
from explorer.data.splits import get_held_out
from explorer.layout import (
    MEASURED,
    METRICS_FILE,
    ModuleEntry,
    WorkspaceError,
    list_module_entries,
    load_settings,
    read_json,
)
from explorer.parts import PhotoParts, load_parts

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
                self._dataset = load_cub((self.path / self.settings.dataset).resolve())
            return self._dataset

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
                self._held_out = get_held_out(self.dataset, self.settings.held_out)
            return self._held_out

    def load_classifier_metrics(self) -> dict[str, Any] | None:
        """Read what `measure_classifier` stored; None where it has not run on this classifier."""
        file = self.path / METRICS_FILE
        measured = read_json(file) if file.exists() else {}
        is_current = measured.get("classifier_sha256") == self.settings.classifier_sha256
        return measured if is_current and measured else None

    def list_modules(self) -> tuple[ModuleEntry, ...]:
        """List the modules on disk, by category, then run; their files are not opened."""
        known = set(self.dataset.categories)
        return tuple(entry for entry in list_module_entries(self.path) if entry.category in known)

    def load_parts(self, photo: Photo) -> PhotoParts:
        """Load a photo with its box and parts, moved inside it where they overhang."""
        return load_parts(photo)

    def load_metrics(self, entry: ModuleEntry) -> dict[str, Any] | None:
        """Read what `evaluate_module` wrote; None where it has not run on this classifier.

        Raises
        ------
        WorkspaceError
            When the file is damaged.
        """
        if not entry.metrics_path.exists():
            return None
        metrics = read_json(entry.metrics_path)
        if metrics.get("classifier_sha256") != self.settings.classifier_sha256:
            return None
        missing = [name for name in MEASURED if name not in metrics]
        if missing:
            raise WorkspaceError(
                f"{entry.metrics_path} is damaged: it lacks {missing[0]!r}. Measure the module "
                f"again with `python -m explorer evaluate {self.path}`."
            )
        return metrics
