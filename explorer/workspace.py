"""The facade: one folder with its data set, classifier and modules; NumPy in and out."""

import os
from collections import OrderedDict
from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from threading import RLock
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from explorer.attribution.engine import Engine
from explorer.attribution.explain import DEFAULT_STOP, Explanation, compute_explanation
from explorer.attribution.rivals import make_grad_cam_draw, make_logit_draw
from explorer.config import PRECISION_VARIABLE, Progress
from explorer.data.cub import CubDataset, Photo, load_cub
from explorer.data.splits import get_held_out
from explorer.data.transforms import prepare_image
from explorer.layout import (
    CLASSIFIER_FILE,
    FEATURES_FOLDER,
    FINETUNING_FILE,
    METRICS_FILE,
    SETTINGS_FILE,
    ModuleEntry,
    WorkspaceError,
    WorkspaceSettings,
    list_module_entries,
    load_settings,
    read_json,
    save_settings,
    write_json,
)
from explorer.maps_cache import CachedMaps, load_maps
from explorer.measures import MEASURED, measure_classifier, measure_module
from explorer.module_training import find_module, train_modules
from explorer.nn.backbones import Backbone, check_z_layer
from explorer.nn.checkpoint import (
    ModuleRecord,
    load_backbone,
    load_module,
    load_module_record,
    round_to_half,
    save_backbone,
)
from explorer.nn.devices import choose_device
from explorer.nn.foreign import load_foreign_weights
from explorer.nn.srae import ExplanationModule, ModuleSettings
from explorer.nn.vgg import build_network_from_weights, flatten_network, get_architecture
from explorer.parts import PhotoParts, load_parts
from explorer.training.features import Features, load_or_compute_features
from explorer.training.finetune import finetune
from explorer.training.finetune_settings import FinetuneSettings
from explorer.training.settings import TrainingSettings

PAINTED_MARK = "traits.json"
_MODULES_IN_MEMORY = 16


class Workspace:
    """A data set, the classifier trained on it, and the modules that explain it.

    Safe to share between threads once it is open: everything that is loaded is read-only.

    Parameters
    ----------
    path : Path
        Folder with a ``workspace.json``; see `Workspace.create`.

    Raises
    ------
    WorkspaceError
        When the folder is not a workspace, or one from a newer version.
    """

    def __init__(self, path: Path, device: str = "cpu") -> None:
        self.path = path.resolve()
        self.device = choose_device(device)
        self.precision = os.environ.get(PRECISION_VARIABLE, "float32")
        self.settings = load_settings(self.path)
        self._lock = RLock()
        # One lock for all that is loaded when it is first needed: two could wait for each other.
        self._dataset: CubDataset | None = None
        self._held_out: tuple[Photo, ...] | None = None
        self._classifier: tuple[Engine, dict[str, Any]] | None = None
        self._modules: OrderedDict[tuple[Path, int], tuple[ExplanationModule, ModuleRecord]]
        self._modules = OrderedDict()

    @classmethod
    def create(
        cls, path: Path, settings: WorkspaceSettings, weights: Path | None = None
    ) -> "Workspace":
        """Make a new workspace, with the classifier in `weights` if there is one.

        Parameters
        ----------
        path : Path
            A folder that does not exist yet or is empty but for the data set.
        settings : WorkspaceSettings
            Checked against the data set before anything is written.
        weights : Path, optional
            The user's own VGG, safetensors or ``.pth`` of tensors; output k is the k-th category
            of ``classes.txt``.
        """
        if (path / SETTINGS_FILE).exists():
            raise WorkspaceError(f"{path} is a workspace already. Choose another folder.")
        architecture = get_architecture(settings.architecture)
        check_z_layer(settings.z_layer)
        dataset = load_cub((path / settings.dataset).resolve())
        get_held_out(dataset, settings.held_out)
        backbone = None
        if weights is not None:
            network = build_network_from_weights(architecture.name, load_foreign_weights(weights))
            layers = flatten_network(network)
            if settings.half:
                round_to_half(layers)
            backbone = Backbone(architecture, layers, dataset.categories, settings.z_layer)
        save_settings(path, settings)
        workspace = cls(path)
        if weights is not None and backbone is not None:
            workspace.install_classifier(backbone, {"imported_from": weights.name})
        return workspace

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
        return (self.dataset.root / PAINTED_MARK).is_file()

    @property
    def held_out(self) -> tuple[Photo, ...]:
        """Photos that the classifier was not trained on."""
        with self._lock:
            if self._held_out is None:
                self._held_out = get_held_out(self.dataset, self.settings.held_out)
            return self._held_out

    def _get_classifier(self) -> tuple[Engine, dict[str, Any]]:
        with self._lock:
            if self._classifier is None:
                self._classifier = self._load_classifier()
            return self._classifier

    def _load_classifier(self) -> tuple[Engine, dict[str, Any]]:
        path = self.path / CLASSIFIER_FILE
        if not path.is_file():
            raise WorkspaceError(
                f"{self.path} has no classifier yet. Train one with "
                f"`python -m explorer finetune {self.path}`."
            )
        backbone, report = load_backbone(path, z_layer=self.settings.z_layer)
        if backbone.sha256 != self.settings.classifier_sha256:
            raise WorkspaceError(
                f"{path} is not the classifier that {SETTINGS_FILE} names. Put the right file "
                "back, or fine-tune again with --force."
            )
        if backbone.categories != self.dataset.categories:
            raise WorkspaceError(
                f"The classifier's categories are not those of {self.dataset.root}."
            )
        backbone.layers.to(self.device)
        return Engine(backbone, self.precision), report

    @property
    def backbone(self) -> Backbone:
        """The classifier, loaded when it is first needed and then kept."""
        return self.engine.backbone

    @property
    def engine(self) -> Engine:
        """The classifier, ready to be explained; see `explorer.attribution.engine`."""
        return self._get_classifier()[0]

    @property
    def classifier_report(self) -> Mapping[str, Any]:
        """How the classifier was trained and what it reached."""
        return self._get_classifier()[1]

    def install_classifier(self, backbone: Backbone, report: Mapping[str, Any]) -> None:
        """Store a classifier, with what is to be known of it, in the place of what was there."""
        save_backbone(self.path / CLASSIFIER_FILE, backbone, report, half=self.settings.half)
        self.settings = replace(self.settings, classifier_sha256=backbone.sha256)
        save_settings(self.path, self.settings)
        with self._lock:
            self._classifier = None
            self._modules.clear()

    def finetune(
        self, settings: FinetuneSettings, *, force: bool = False, restart: bool = False
    ) -> Generator[Progress, None, Mapping[str, Any]]:
        """Train the classifier and store it; return its report.

        A run that was ended goes on after its last whole epoch, unless `restart` drops it.

        Raises
        ------
        WorkspaceError
            When there is a classifier already, whose modules would be worthless without it, and
            `force` does not say to replace it.
        """
        if self.settings.classifier_sha256 and not force:
            raise WorkspaceError(
                f"{self.path} has a classifier already, and modules that explain it would no "
                "longer fit another. Make a new workspace, or replace it with --force."
            )
        own, snapshot = self.settings, self.path / FINETUNING_FILE
        settings = replace(settings, architecture=own.architecture, half=own.half)
        if restart:
            snapshot.unlink(missing_ok=True)
        backbone, report = yield from finetune(
            self.dataset, self.held_out, settings, self.device, snapshot
        )
        self.install_classifier(replace(backbone, z_layer=self.settings.z_layer), report)
        snapshot.unlink(missing_ok=True)
        return report

    def compute_features(self) -> Generator[Progress, None, Features]:
        """Read Z and the logits of every photo, computing and caching them the first time."""
        folder, photos = self.path / FEATURES_FOLDER, self.dataset.photos
        return (yield from load_or_compute_features(folder, self.backbone, photos))

    def measure_classifier(self) -> Generator[Progress, None, dict[str, Any]]:
        """Measure and store the classifier's accuracy; see `explorer.measures`."""
        measured = yield from measure_classifier(self)
        write_json(self.path / METRICS_FILE, measured)
        return measured

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

    def load_module(self, entry: ModuleEntry) -> tuple[ExplanationModule, ModuleRecord]:
        """Load a module, or return it if it has been loaded and not been replaced since."""
        try:
            key = (entry.path, entry.path.stat().st_mtime_ns)
        except OSError as error:
            raise WorkspaceError(f"{entry.path} is gone. Train the module again.") from error
        with self._lock:
            if key not in self._modules:
                module, record = load_module(entry.path, self.backbone)
                if record.category != entry.category:
                    raise WorkspaceError(
                        f"{entry.path} explains {record.category}, but lies in the folder of "
                        f"{entry.category}. Move it back, or train the module again."
                    )
                self._modules[key] = (module.to(self.device), record)
                while len(self._modules) > _MODULES_IN_MEMORY:
                    self._modules.popitem(last=False)
            self._modules.move_to_end(key)
            return self._modules[key]

    def train_module(
        self, category: str, module_settings: ModuleSettings, settings: TrainingSettings
    ) -> Generator[Progress, None, ModuleEntry]:
        """Train and store a module for `category`; an earlier run of the same name is replaced."""
        (entry,) = yield from self.train_modules([category], module_settings, settings)
        return entry

    def train_modules(
        self,
        categories: Sequence[str],
        module_settings: ModuleSettings,
        settings: TrainingSettings,
        *,
        group_size: int = 0,
    ) -> Generator[Progress, None, tuple[ModuleEntry, ...]]:
        """Train and store a module for each category, many at once, replacing earlier runs.

        Each is stored as soon as the group in which it is trained is done.

        Parameters
        ----------
        categories : sequence of str
            See `CubDataset.find_category`.
        module_settings, settings
            The same for all.
        group_size : int
            Most modules to train at once; 0 chooses by the memory they take (see
            `explorer.training.groups`). It changes a module by the rounding of sums alone.

        Yields
        ------
        Progress
            Counts the epochs of all modules; see `explorer.training.trainer.train_group`.

        Raises
        ------
        ExplorerError
            Before anything is trained, where a category is unknown or the size negative.
        NotTrainedError
            At the end, where some could not be trained; it names them, and holds the others.
        """
        return (yield from train_modules(self, categories, module_settings, settings, group_size))

    def find_module(
        self, category: str, module_settings: ModuleSettings, settings: TrainingSettings
    ) -> ModuleEntry | None:
        """Return the module that `train_modules` would make, if it is there already.

        One of another network, of another split, or in a file that cannot be read, is not it.
        """
        return find_module(self, category, module_settings, settings)

    def select_scores(
        self, features: Features, category: str, image_ids: tuple[int, ...] | list[int]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
        """Return Z (M, S_z), ŷ of `category` (M,), and which photos are of it (M,)."""
        rows = features.get_rows(image_ids)
        index = self.dataset.categories.index(category)
        positives = {photo.image_id for photo in self.dataset.photos_of(category)}
        is_positive = np.array([image_id in positives for image_id in image_ids])
        return features.z[rows], features.logits[rows, index], is_positive

    def load_parts(self, photo: Photo) -> PhotoParts:
        """Load a photo with its box and parts, moved inside it where they overhang."""
        return load_parts(photo)

    def explain(
        self, entry: ModuleEntry, image: NDArray[np.uint8], stop: str = DEFAULT_STOP
    ) -> Explanation:
        """Explain the score of the module's category on an RGB image (H, W, 3)."""
        module, record = self.load_module(entry)
        pixels = self.prepare_image(image)
        return compute_explanation(self.engine, module, record.category, pixels, stop)

    def load_maps(self, entry: ModuleEntry, photo: Photo, stop: str) -> CachedMaps | None:
        """Read a photo's explanation from the cache; None where there is none that is current."""
        return load_maps(self, entry, photo, stop)

    def explain_score(
        self, category: str, image: NDArray[np.uint8], stop: str = DEFAULT_STOP
    ) -> NDArray[np.float32]:
        """Draw c-MWP of the classifier's own score (ExcitationBP) on an image: (h, w), >= 0."""
        draw = make_logit_draw(self.engine, category, stop)
        heat: NDArray[np.float32] = draw(self.prepare_image(image))[0]
        return heat

    def explain_by_gradient(self, category: str, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Draw Grad-CAM of the classifier's own score on an image: (h, w), >= 0."""
        draw = make_grad_cam_draw(self.backbone, category)
        heat: NDArray[np.float32] = draw(self.prepare_image(image))[0]
        return heat

    def compute_scores(
        self, pixels: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Compute Z (M, S_z) and the logits (M, C) of prepared images (M, 3, h, w)."""
        images = torch.from_numpy(pixels).to(self.backbone.device)
        z, logits = self.backbone.compute_features(images)
        return z.cpu().numpy(), logits.cpu().numpy()

    def prepare_image(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Squash an RGB image (H, W, 3) to the classifier's input (3, h, w), normalised."""
        architecture = self.backbone.architecture
        return prepare_image(image, architecture.input_size, architecture.mean, architecture.std)

    def evaluate_module(self, entry: ModuleEntry) -> Generator[Progress, None, dict[str, Any]]:
        """Measure a module and write ``metrics.json`` beside it; see `measure_module`."""
        metrics = yield from measure_module(self, entry)
        write_json(entry.metrics_path, metrics)
        return metrics

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

    def load_record(self, entry: ModuleEntry) -> ModuleRecord:
        """Read a module's own description without loading any network."""
        return load_module_record(entry.path)
