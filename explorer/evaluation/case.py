"""A case of the comparison: a category with a seed, and what methods need to prepare for it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from explorer.attribution.gradcam import draw_grad_cam
from explorer.config import Steps
from explorer.data.photo import Photo
from explorer.data.splits import Split, draw_module_split
from explorer.methods.base import Array, Probe, Source
from explorer.nn.losses import ModuleSettings
from explorer.nn.probe import LinearProbe
from explorer.nn.srae import ExplanationModule, apply_module
from explorer.training.modules.settings import TrainingSettings
from explorer.training.modules.train import find_module, train_module
from explorer.workspace.features import Features, select_scores
from explorer.workspace.workspace import Workspace


@dataclass(frozen=True, eq=False)
class Case:
    """A category to explain, with a seed for the module and the split.

    Attributes
    ----------
    workspace : Workspace
        A workspace with a classifier.
    features : Features
        Features of all its photos.
    category : str
        As in ``classes.txt``.
    seed : int
        Seed of the module and the split.
    """

    workspace: Workspace
    features: Features
    category: str
    seed: int

    @property
    def split(self) -> Split:
        """The photos that modules of this case are trained and tested on."""
        workspace = self.workspace
        return draw_module_split(workspace.dataset, self.category, workspace.held_out, self.seed)

    @property
    def index(self) -> int:
        """Index of the category among the logits."""
        return self.workspace.dataset.categories.index(self.category)

    @property
    def test_photos(self) -> tuple[Photo, ...]:
        """The category's own photos among the test photos."""
        test = set(self.split.test)
        photos = self.workspace.dataset.photos_of(self.category)
        return tuple(photo for photo in photos if photo.image_id in test)

    @property
    def held_out_photos(self) -> tuple[Photo, ...]:
        """The category's held-out photos, which are the same for every seed."""
        return tuple(p for p in self.workspace.held_out if p.category == self.category)

    def select(self, image_ids: Sequence[int]) -> tuple[Array, Array, NDArray[np.bool_]]:
        """Return Z (M, S_z), ŷ (M,) and whether each photo is of the category, (M,)."""
        return select_scores(self.workspace, self.features, self.category, image_ids)

    def get_training_photos(self) -> tuple[Array, Array, NDArray[np.bool_]]:
        """Return `select` of the training photos."""
        return self.select(self.split.train)

    def find_or_train(self, module: ModuleSettings, training: TrainingSettings) -> Steps[Source]:
        """Return the x-features of a module, which is trained if it does not exist."""
        settings = module, replace(training, seed=self.seed)
        entry = find_module(self.workspace, self.category, *settings)
        if entry is None:
            entry = yield from train_module(self.workspace, self.category, *settings)
        return self._make_source(self.workspace.networks.load_module(entry)[0])

    def use_probe(self, probe: Probe) -> Source:
        """Return the components of a probe."""
        network = LinearProbe(**vars(probe))
        return self._make_source(network.to(self.workspace.networks.device))

    def _make_source(self, module: ExplanationModule | LinearProbe) -> Source:
        engine, top = self.workspace.networks.engine, module.get_attribution_layers()
        return Source(
            lambda pixels, stop: engine.draw(pixels, top, stop),
            lambda z, _: apply_module(module, z)[0],
            module.v.weight[0].cpu().numpy(),
            lambda z: apply_module(module, z),
        )

    def draw_z(self, pixels: Array, dimensions: Sequence[int], stop: str) -> Array:
        """Draw c-MWP of single dimensions of Z, (K, h, w)."""
        return self.workspace.networks.engine.draw(pixels, (), stop, dimensions)

    def draw_logit(self, pixels: Array, stop: str) -> Array:
        """Draw c-MWP of the category's logit, (1, h, w)."""
        return self.workspace.networks.engine.draw_logit(pixels, self.category, stop)

    def draw_grad_cam(self, pixels: Array) -> Array:
        """Draw Grad-CAM of the category's logit, (1, h, w)."""
        return draw_grad_cam(self.workspace.networks.backbone, pixels, self.category)
