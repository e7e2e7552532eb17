"""The facade: one folder with its data set, classifier and modules; NumPy in and out.

What needs a network imports it where it is used: torch takes seconds, and whoever asks only for
what is in `explorer.workspace.files`, as the first page does, goes without.
"""

from collections import OrderedDict
from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from explorer.config import ExplorerError, Progress, get_precision
from explorer.data.cub import Photo, load_cub
from explorer.data.splits import get_held_out
from explorer.data.transforms import prepare_image
from explorer.storage.reading import Stamp, read_stamp
from explorer.workspace.files import WorkspaceFiles
from explorer.workspace.layout import (
    CLASSIFIER_FILE,
    FEATURES_FOLDER,
    FINETUNING_FILE,
    METRICS_FILE,
    SETTINGS_FILE,
    ModuleEntry,
    WorkspaceError,
    WorkspaceSettings,
    check_inside,
    save_settings,
    write_json,
)

if TYPE_CHECKING:
    import torch

    from explorer.attribution.engine import Engine
    from explorer.attribution.explain import Explanation
    from explorer.maps.cache import CachedMaps
    from explorer.nn.backbones.backbone import Backbone
    from explorer.nn.records import ModuleRecord
    from explorer.nn.settings import ModuleSettings
    from explorer.nn.srae import ExplanationModule
    from explorer.training.classifier.settings import FinetuneSettings
    from explorer.training.modules.settings import TrainingSettings
    from explorer.workspace.features import Features

Scores = tuple[NDArray[np.float32], NDArray[np.float32]]

_MODULES_IN_MEMORY = 16
_ALWAYS_THERE = ("auto", "cpu")


class Workspace(WorkspaceFiles):
    """A data set, the classifier trained on it, and the modules that explain it.

    Safe to share between threads once it is open: everything that is loaded is read-only.

    Parameters
    ----------
    path : Path
        Folder with a ``workspace.json``; see `Workspace.create`.
    device : str
        Where networks run; see `explorer.nn.devices.choose_device`.

    Raises
    ------
    WorkspaceError
        When the folder is not a workspace, or one from a newer version.
    ExplorerError
        When there is no such device on this machine.
    """

    def __init__(self, path: Path, device: str = "cpu") -> None:
        super().__init__(path)
        self._device_name = device
        self._device: torch.device | None = None
        if device not in _ALWAYS_THERE:
            _ = self.device
        self.precision = get_precision()
        self._classifier: tuple[Engine, dict[str, Any]] | None = None
        self._modules: OrderedDict[tuple[Path, Stamp], tuple[ExplanationModule, ModuleRecord]]
        self._modules = OrderedDict()

    @property
    def device(self) -> "torch.device":
        """Where networks run, chosen when it is first needed."""
        with self._lock:
            if self._device is None:
                from explorer.nn.devices import choose_device  # noqa: PLC0415

                self._device = choose_device(self._device_name)
            return self._device

    @property
    def has_device(self) -> bool:
        """Whether it has been chosen already; asking does not choose it."""
        return self._device is not None

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
        from explorer.nn.backbones.backbone import check_z_layer  # noqa: PLC0415
        from explorer.nn.backbones.vgg import get_architecture  # noqa: PLC0415
        from explorer.nn.foreign import load_foreign_backbone  # noqa: PLC0415

        if (path / SETTINGS_FILE).exists():
            raise WorkspaceError(f"{path} is a workspace already. Choose another folder.")
        architecture = get_architecture(settings.architecture)
        check_z_layer(settings.z_layer)
        dataset = load_cub(settings.locate_dataset(path))
        get_held_out(dataset, settings.held_out)
        backbone = None
        if weights is not None:
            backbone = load_foreign_backbone(
                weights, architecture, dataset.categories, settings.z_layer, half=settings.half
            )
        save_settings(path, settings)
        workspace = cls(path)
        if weights is not None and backbone is not None:
            workspace.install_classifier(backbone, {"imported_from": weights.name})
        return workspace

    def _get_classifier(self) -> "tuple[Engine, dict[str, Any]]":
        with self._lock:
            if self._classifier is None:
                self._classifier = self._load_classifier()
            return self._classifier

    def _load_classifier(self) -> "tuple[Engine, dict[str, Any]]":
        from explorer.attribution.engine import Engine  # noqa: PLC0415
        from explorer.nn.backbones.backbone import check_z_layer  # noqa: PLC0415
        from explorer.nn.checkpoint import load_backbone  # noqa: PLC0415

        path = self.path / CLASSIFIER_FILE
        check_inside(self.path, path)
        if self.settings.classifier_sha256 and not path.exists():
            raise WorkspaceError(f"{path} is gone. Put it back, or fine-tune again with --force.")
        if not path.exists():
            raise WorkspaceError(
                f"{self.path} has no classifier yet. Train one with "
                f"`python -m explorer finetune {self.path}`."
            )
        try:
            check_z_layer(self.settings.z_layer)
        except ExplorerError as error:
            raise WorkspaceError(f"{self.path / SETTINGS_FILE}: {error}") from error
        backbone, report = load_backbone(path, z_layer=self.settings.z_layer)
        if backbone.sha256 != self.settings.classifier_sha256:
            raise WorkspaceError(
                f"{path} is not the classifier that {SETTINGS_FILE} names. Put the right file "
                "back, or fine-tune again with --force."
            )
        if backbone.categories != self.dataset.categories:
            raise WorkspaceError(
                f"{path}: the classifier's categories are not those of {self.dataset.root}. Put "
                "the right file or data set back, or fine-tune again with --force."
            )
        backbone.layers.to(self.device)
        return Engine(backbone, self.precision), report

    @property
    def backbone(self) -> "Backbone":
        """The classifier, loaded when it is first needed and then kept."""
        return self.engine.backbone

    @property
    def engine(self) -> "Engine":
        """The classifier, ready to be explained; see `explorer.attribution.engine`."""
        return self._get_classifier()[0]

    @property
    def classifier_report(self) -> Mapping[str, Any]:
        """How the classifier was trained and what it reached."""
        return self._get_classifier()[1]

    def install_classifier(self, backbone: "Backbone", report: Mapping[str, Any]) -> None:
        """Store a classifier, with what is to be known of it, in the place of what was there."""
        from explorer.nn.checkpoint import save_backbone  # noqa: PLC0415

        save_backbone(self.path / CLASSIFIER_FILE, backbone, report, half=self.settings.half)
        self.settings = replace(self.settings, classifier_sha256=backbone.sha256)
        save_settings(self.path, self.settings)
        with self._lock:
            self._classifier = None
            self._modules.clear()

    def finetune(
        self, settings: "FinetuneSettings", *, force: bool = False, restart: bool = False
    ) -> Generator[Progress, None, Mapping[str, Any]]:
        """Train the classifier and store it; return its report.

        A run that was ended goes on after its last whole epoch, unless `restart` drops it.

        Raises
        ------
        WorkspaceError
            When there is a classifier already, whose modules would be worthless without it, and
            `force` does not say to replace it.
        """
        from explorer.training.classifier.finetune import finetune  # noqa: PLC0415

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

    def compute_features(self, *, store: bool = True) -> "Generator[Progress, None, Features]":
        """Read Z and the logits of every photo; what is not on disk is computed, and stored."""
        from explorer.workspace import features  # noqa: PLC0415

        folder = self.path / FEATURES_FOLDER
        check_inside(self.path, folder)
        load = features.load_or_compute_features if store else features.load_or_hold_features
        return (yield from load(folder, self.backbone, self.dataset.present))

    def measure_classifier(self) -> Generator[Progress, None, dict[str, Any]]:
        """Measure and store the classifier's accuracy; see `explorer.measuring.measures`."""
        from explorer.measuring.measures import measure_classifier  # noqa: PLC0415

        measured = yield from measure_classifier(self)
        write_json(self.path / METRICS_FILE, measured)
        return measured

    def load_module(self, entry: ModuleEntry) -> "tuple[ExplanationModule, ModuleRecord]":
        """Load a module, or return it if it has been loaded and not been replaced since."""
        from explorer.nn.checkpoint import load_module  # noqa: PLC0415

        self.check_module(entry)
        try:
            key = (entry.path, read_stamp(entry.path))
        except OSError as error:
            raise WorkspaceError(f"{entry.path} is gone. Train the module again.") from error
        with self._lock:
            if key not in self._modules:
                module, record = load_module(entry.path, self.backbone)
                self.check_record(entry, record)
                self._modules[key] = (module.to(self.device), record)
                while len(self._modules) > _MODULES_IN_MEMORY:
                    self._modules.popitem(last=False)
            self._modules.move_to_end(key)
            return self._modules[key]

    def train_module(
        self, category: str, module_settings: "ModuleSettings", settings: "TrainingSettings"
    ) -> Generator[Progress, None, ModuleEntry]:
        """Train and store a module for `category`; an earlier run of the same name is replaced."""
        (entry,) = yield from self.train_modules([category], module_settings, settings)
        return entry

    def train_modules(
        self,
        categories: Sequence[str],
        module_settings: "ModuleSettings",
        settings: "TrainingSettings",
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
            `explorer.training.modules.group_sizes`). It changes a module by the rounding of sums
            alone.

        Yields
        ------
        Progress
            Counts the epochs of all modules; see `explorer.training.modules.trainer.train_group`.

        Raises
        ------
        ExplorerError
            Before anything is trained, where a category is unknown or the size negative.
        NotTrainedError
            At the end, where some could not be trained; it names them, and holds the others.
        """
        from explorer.training.modules.train import train_modules  # noqa: PLC0415

        return (yield from train_modules(self, categories, module_settings, settings, group_size))

    def find_module(
        self, category: str, module_settings: "ModuleSettings", settings: "TrainingSettings"
    ) -> ModuleEntry | None:
        """Return the module that `train_modules` would make, if it is there already.

        One of another network, of another split, or in a file that cannot be read, is not it.
        """
        from explorer.training.modules.train import find_module  # noqa: PLC0415

        return find_module(self, category, module_settings, settings)

    def select_scores(
        self, features: "Features", category: str, image_ids: tuple[int, ...] | list[int]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
        """Return Z (M, S_z), ŷ of `category` (M,), and which photos are of it (M,)."""
        rows = features.get_rows(image_ids)
        index = self.dataset.categories.index(category)
        positives = {photo.image_id for photo in self.dataset.photos_of(category)}
        is_positive = np.array([image_id in positives for image_id in image_ids])
        return features.z[rows], features.logits[rows, index], is_positive

    def explain(
        self, entry: ModuleEntry, image: NDArray[np.uint8], stop: str | None = None
    ) -> "Explanation":
        """Explain the score of the module's category on an RGB image (H, W, 3).

        Maps are taken at `stop`, one of `Backbone.stops`; None is the first ReLU.
        """
        from explorer.attribution.explain import DEFAULT_STOP, compute_explanation  # noqa: PLC0415

        module, record = self.load_module(entry)
        pixels, stop = self.prepare_image(image), stop or DEFAULT_STOP
        return compute_explanation(self.engine, module, record.category, pixels, stop)

    def load_maps(self, entry: ModuleEntry, photo: Photo, stop: str) -> "CachedMaps | None":
        """Read a photo's explanation from the cache; None where there is none that is current."""
        from explorer.maps.cache import load_maps  # noqa: PLC0415

        return load_maps(self, entry, photo, stop)

    def explain_score(
        self, category: str, image: NDArray[np.uint8], stop: str | None = None
    ) -> NDArray[np.float32]:
        """Draw c-MWP of the classifier's own score (ExcitationBP) on an image: (h, w), >= 0."""
        from explorer.attribution.explain import DEFAULT_STOP  # noqa: PLC0415
        from explorer.attribution.rivals import make_logit_draw  # noqa: PLC0415

        draw = make_logit_draw(self.engine, category, stop or DEFAULT_STOP)
        heat: NDArray[np.float32] = draw(self.prepare_image(image))[0]
        return heat

    def explain_by_gradient(self, category: str, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Draw Grad-CAM of the classifier's own score on an image: (h, w), >= 0."""
        from explorer.attribution.rivals import make_grad_cam_draw  # noqa: PLC0415

        draw = make_grad_cam_draw(self.backbone, category)
        heat: NDArray[np.float32] = draw(self.prepare_image(image))[0]
        return heat

    def compute_scores(self, pixels: NDArray[np.float32]) -> Scores:
        """Compute Z (M, S_z) and the logits (M, C) of prepared images (M, 3, h, w)."""
        import torch  # noqa: PLC0415

        z, logits = self.backbone.compute_features(torch.from_numpy(pixels).to(self.device))
        return z.cpu().numpy(), logits.cpu().numpy()

    def score_image(self, image: NDArray[np.uint8]) -> Scores:
        """Compute Z and the logits of an RGB image (H, W, 3), on the pass that its maps take."""
        from explorer.attribution.explain import DEFAULT_STOP  # noqa: PLC0415

        return self.engine.score(self.prepare_image(image), DEFAULT_STOP)

    def prepare_image(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Squash an RGB image (H, W, 3) to the classifier's input (3, h, w), normalised."""
        architecture = self.backbone.architecture
        return prepare_image(image, architecture.input_size, architecture.mean, architecture.std)

    def evaluate_module(self, entry: ModuleEntry) -> Generator[Progress, None, dict[str, Any]]:
        """Measure a module and write ``metrics.json`` beside it."""
        from explorer.measuring.measures import measure_module  # noqa: PLC0415

        self.check_module(entry)
        metrics = yield from measure_module(self, entry)
        write_json(entry.metrics_path, metrics)
        return metrics
