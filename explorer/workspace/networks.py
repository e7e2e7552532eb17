"""The networks of a workspace: its classifier and its modules, loaded on first use."""

import os
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from explorer.attribution.engine import Engine
from explorer.attribution.explain import DEFAULT_STOP, compute_explanation
from explorer.config import ExplorerError, Steps, get_precision
from explorer.nn.backbones.backbone import Backbone, check_z_layer
from explorer.nn.checkpoint import load_backbone, load_module, save_backbone
from explorer.nn.devices import choose_device, list_devices
from explorer.nn.explanation import Explanation
from explorer.nn.part_finder import FoundParts, PartFinder, decode_output, scale_found
from explorer.nn.part_finder_file import PartRecord, load_part_finder
from explorer.nn.rebuilding import rebuild_z
from explorer.nn.records import ModuleRecord
from explorer.nn.srae import ExplanationModule, apply_module
from explorer.nn.turns import TURNS
from explorer.storage.reading import Stamp, read_stamp
from explorer.workspace.feature_store import FeatureStore
from explorer.workspace.features import Features
from explorer.workspace.files import WorkspaceFiles
from explorer.workspace.layout import (
    CLASSIFIER_FILE,
    PARTS_FILE,
    SETTINGS_FILE,
    ModuleEntry,
    WorkspaceError,
    check_inside,
)

Scores = tuple[NDArray[np.float32], NDArray[np.float32]]

_MODULES_IN_MEMORY = 16


class Networks:
    """The classifier and the modules of a workspace, with NumPy arrays as inputs and outputs.

    Can be shared between threads, as all loaded data is read-only.

    Parameters
    ----------
    files : WorkspaceFiles
        The workspace.
    device : str
        Where networks run; see `explorer.nn.devices.choose_device`.

    Raises
    ------
    ExplorerError
        When this machine does not have the device.
    """

    def __init__(self, files: WorkspaceFiles, device: str = "cpu") -> None:
        self._files = files
        self.device = choose_device(device)
        self.precision = get_precision()
        self._classifier: tuple[Engine, dict[str, Any]] | None = None
        self._part_finder: tuple[Stamp, PartFinder, PartRecord] | None = None
        self._modules: OrderedDict[tuple[str, Stamp], tuple[ExplanationModule, ModuleRecord]] = (
            OrderedDict()
        )

    def list_devices(self) -> dict[str, str]:
        """List the devices of this machine; see `explorer.nn.devices`."""
        return list_devices()

    @property
    def backbone(self) -> Backbone:
        """The classifier."""
        return self.engine.backbone

    @property
    def engine(self) -> Engine:
        """The attribution engine of the classifier; see `explorer.attribution.engine`."""
        return self._get_classifier()[0]

    @property
    def classifier_report(self) -> Mapping[str, Any]:
        """How the classifier was trained, and its accuracy."""
        return self._get_classifier()[1]

    def _get_classifier(self) -> tuple[Engine, dict[str, Any]]:
        with self._files.lock:
            if self._classifier is None:
                self._classifier = self._load_classifier()
            return self._classifier

    def _load_classifier(self) -> tuple[Engine, dict[str, Any]]:
        files = self._files
        path, settings = files.path / CLASSIFIER_FILE, files.settings
        check_inside(files.path, path)
        if settings.classifier_sha256 and not path.exists():
            raise WorkspaceError(f"{path} is missing. Restore it, or fine-tune again with --force.")
        if not path.exists():
            raise WorkspaceError(
                f"{files.path} has no classifier yet. Train one with "
                f"`python -m explorer finetune {files.path}`."
            )
        try:
            backbone, report = load_backbone(path, z_layer=settings.z_layer)
        except ExplorerError:
            self._check_settings()  # which may be what is wrong
            raise
        if backbone.sha256 != settings.classifier_sha256:
            raise WorkspaceError(
                f"{path} is not the classifier that {SETTINGS_FILE} names. Restore the right "
                "file, or fine-tune again with --force."
            )
        if backbone.categories != files.dataset.categories:
            raise WorkspaceError(
                f"{path}: the classifier's categories are not those of {files.dataset.root}. "
                "Restore the right file or data set, or fine-tune again with --force."
            )
        backbone.layers.to(self.device)
        return Engine(backbone, self.precision), report

    def _check_settings(self) -> None:
        settings = self._files.settings
        try:
            check_z_layer(settings.architecture, settings.z_layer)
        except ExplorerError as error:
            raise WorkspaceError(f"{self._files.path / SETTINGS_FILE}: {error}") from error

    def install_classifier(self, backbone: Backbone, report: Mapping[str, Any]) -> None:
        """Store a classifier and its report, replacing the previous ones."""
        files = self._files
        save_backbone(files.path / CLASSIFIER_FILE, backbone, report, half=files.settings.half)
        files.replace_settings(replace(files.settings, classifier_sha256=backbone.sha256))
        with files.lock:
            self._classifier = None
            self._modules.clear()

    def load_module(self, entry: ModuleEntry) -> tuple[ExplanationModule, ModuleRecord]:
        """Load a module, or return it if it is loaded and its file has not changed."""
        files = self._files
        files.check_module(entry)
        try:
            key = (str(entry.path), read_stamp(entry.path))
        except OSError as error:
            raise WorkspaceError(f"{entry.path} is missing. Train the module again.") from error
        with files.lock:
            if key not in self._modules:
                module, record = load_module(entry.path, self.backbone)
                files.check_record(entry, record)
                self._modules[key] = (module.to(self.device), record)
                while len(self._modules) > _MODULES_IN_MEMORY:
                    self._modules.popitem(last=False)
            self._modules.move_to_end(key)
            return self._modules[key]

    def load_part_finder(self) -> tuple[PartFinder, PartRecord] | None:
        """Load the part finder, or return it if it is loaded and its file has not changed.

        None if the workspace has none.

        Raises
        ------
        WorkspaceError, CheckpointError
            When its file cannot be used.
        """
        files = self._files
        path = files.path / PARTS_FILE
        check_inside(files.path, path)
        if not os.path.lexists(path):
            return None
        with files.lock:
            stamp = read_stamp(path)
            if self._part_finder is None or self._part_finder[0] != stamp:
                finder, record = load_part_finder(path, self.backbone)
                if record.part_names != files.dataset.part_names:
                    raise WorkspaceError(
                        f"{path} finds other parts than {files.dataset.root} names. Train it again "
                        "with `parts --force`."
                    )
                self._part_finder = stamp, finder.to(self.device), record
            return self._part_finder[1:]

    @torch.inference_mode()
    def find_parts(self, image: NDArray[np.uint8]) -> FoundParts | None:
        """Find the bird's box and parts on an RGB image (H, W, 3); None without a part finder."""
        loaded = self.load_part_finder()
        if loaded is None:
            return None
        finder, record = loaded
        maps = self.engine.compute_map(self.prepare_image(image), record.layer)
        found = decode_output(finder(maps))
        return scale_found(found, (image.shape[0], image.shape[1]))

    @property
    def features(self) -> FeatureStore:
        """Where Z and the logits of all photos are stored, and what computes them."""
        return FeatureStore(self._files, self.backbone)

    def compute_features(self, *, store: bool = True) -> Steps[Features]:
        """Read or compute Z and the logits of every photo; see `FeatureStore.load_or_compute`."""
        return self.features.load_or_compute(store=store)

    def apply_module(self, entry: ModuleEntry, z: NDArray[np.float32]) -> Scores:
        """Compute a module's x-features (M, K) and ȳ (M,) from Z (M, S_z)."""
        return apply_module(self.load_module(entry)[0], z)

    def read_weights(self, entry: ModuleEntry) -> NDArray[np.float64]:
        """Return the weights v of a module, (K,), signed: ȳ per unit of each x-feature."""
        weights = self.load_module(entry)[0].v.weight[0].cpu().numpy()
        return np.asarray(weights, np.float64)

    def rebuild_z(
        self, entry: ModuleEntry, z: NDArray[np.float32], held: int | None = None
    ) -> NDArray[np.float32]:
        """Rebuild Z (M, S_z) from a module's x-features; see `explorer.nn.rebuilding`."""
        return rebuild_z(self.load_module(entry)[0], z, held)

    def explain(
        self, entry: ModuleEntry, image: NDArray[np.uint8], stop: str = DEFAULT_STOP
    ) -> Explanation:
        """Explain the score of the module's category for an RGB image (H, W, 3).

        Maps are taken at layer `stop`, one of `Backbone.stops`.
        """
        module, record = self.load_module(entry)
        pixels = self.prepare_image(image)
        return compute_explanation(self.engine, module, record.category, pixels, stop)

    def take_turn(self) -> AbstractContextManager[int]:
        """Wait for a turn among those who explain photos at the same time; no method here does.

        A small network computes in one thread. Two would be a quarter faster, and take half as much
        processor time again.
        """
        return TURNS.take(1 if self.backbone.is_quick else None)

    def draw_map(
        self, entry: ModuleEntry, image: NDArray[np.uint8], feature: int, stop: str = DEFAULT_STOP
    ) -> NDArray[np.float32]:
        """Draw c-MWP of one x-feature, counted from 0, for an RGB image: (h, w), >= 0.

        It takes half the time of `explain`, or less, since no other map is drawn.
        """
        module, _ = self.load_module(entry)
        layers = module.get_attribution_layers()
        heat: NDArray[np.float32]
        heat = self.engine.draw(self.prepare_image(image), layers, stop, [feature])[0]
        return heat

    def explain_score(
        self, category: str, image: NDArray[np.uint8], stop: str = DEFAULT_STOP
    ) -> NDArray[np.float32]:
        """Draw c-MWP of the classifier's own score (ExcitationBP) for an image: (h, w), >= 0."""
        heat: NDArray[np.float32]
        heat = self.engine.draw_logit(self.prepare_image(image), category, stop)[0]
        return heat

    def compute_scores(self, pixels: NDArray[np.float32]) -> Scores:
        """Compute Z (M, S_z) and the logits (M, C) of prepared images (M, 3, h, w)."""
        z, logits = self.backbone.compute_features(torch.from_numpy(pixels).to(self.device))
        return z.cpu().numpy(), logits.cpu().numpy()

    def estimate_scores(self, pixels: NDArray[np.float32]) -> Scores:
        """Compute Z and the logits as `compute_scores` does, in half the time and less exactly."""
        z, logits = self.backbone.estimate_features(torch.from_numpy(pixels).to(self.device))
        return z.cpu().numpy(), logits.cpu().numpy()

    def compute_pooled(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compute the means of the last map of prepared images (M, 3, h, w): (M, P)."""
        pooled: NDArray[np.float32]
        pooled = (
            self.backbone.compute_pooled(torch.from_numpy(pixels).to(self.device)).cpu().numpy()
        )
        return pooled

    def pool_image(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Compute the means of the last map of an RGB image, (P,), in the pass of its maps."""
        pooled: NDArray[np.float32]
        pooled = self.engine.compute_pooled(self.prepare_image(image))[0].cpu().numpy()
        return pooled

    def score_image(self, image: NDArray[np.uint8]) -> Scores:
        """Compute Z (S_z,) and the logits (C,) of an RGB image, in the forward pass of its maps."""
        return self.engine.score(self.prepare_image(image), DEFAULT_STOP)

    def prepare_image(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Squash an RGB image (H, W, 3) to the classifier's input (3, h, w), normalised."""
        return self.backbone.architecture.prepare(image)
