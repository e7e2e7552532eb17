"""What is explained, and what a method makes of it: maps, activations and their weights."""

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from explorer.attribution.rivals import (
    Draw,
    make_grad_cam_draw,
    make_logit_draw,
    make_module_draw,
    make_z_draw,
)
from explorer.config import Progress
from explorer.data.cub import Photo
from explorer.data.splits import Split, draw_module_split
from explorer.evaluation.settings import EvaluationSettings
from explorer.methods.registry import Method
from explorer.nn.pca import PcaProbe
from explorer.nn.settings import ModuleSettings
from explorer.nn.srae import ExplanationModule, apply_module
from explorer.workspace.features import Features
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace

Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Case:
    """What is explained: a category, with a seed for module and split."""

    workspace: Workspace
    features: Features
    category: str
    seed: int

    @property
    def split(self) -> Split:
        """The photos that modules of this case learn from and are tested on."""
        workspace = self.workspace
        return draw_module_split(workspace.dataset, self.category, workspace.held_out, self.seed)

    @property
    def index(self) -> int:
        """Position of the category among the logits."""
        return self.workspace.dataset.categories.index(self.category)

    @property
    def test_photos(self) -> tuple[Photo, ...]:
        """The category's own photos among those for testing."""
        test = set(self.split.test)
        photos = self.workspace.dataset.photos_of(self.category)
        return tuple(photo for photo in photos if photo.image_id in test)

    @property
    def held_out_photos(self) -> tuple[Photo, ...]:
        """The category's photos that the classifier has not seen: the same for every seed."""
        return tuple(p for p in self.workspace.held_out if p.category == self.category)


@dataclass(frozen=True, eq=False)
class Source:
    """What a method gives for one category: K maps a photo, and K activations that they explain.

    Attributes
    ----------
    draw : Draw
        From pixels to maps (K, h, w).
    activate : callable
        From Z (M, S_z) and logits (M, C) to activations (M, K).
    v : NDArray of float or None
        (K,), weight of each activation in the score; None where they do not make up a score.
    module : ExplanationModule, PcaProbe or None
        Where ȳ is computed.
    """

    draw: Draw
    activate: Callable[[Array, Array], Array]
    v: NDArray[np.floating] | None
    module: ExplanationModule | PcaProbe | None = None


def prepare_source(
    case: Case, method: Method, settings: EvaluationSettings
) -> Generator[Progress, None, Source]:
    """Make ready what a method needs on a case; modules that are not there yet are trained."""
    workspace, category = case.workspace, case.category
    engine, stop = workspace.engine, settings.stop
    if method.settings is not None:
        entry = yield from _find_or_train(case, method)
        module, _ = workspace.load_module(entry)
        return _make_module_source(case, module, stop)
    if method.name == "pca":
        z, y_hat, _ = workspace.select_scores(case.features, category, case.split.train)
        probe = PcaProbe(z, y_hat, ModuleSettings().x_features)
        return _make_module_source(case, probe.to(engine.backbone.device), stop)
    if method.name == "z":
        dimensions = _draw_dimensions(case, settings.z_dimensions)
        draw = make_z_draw(engine, dimensions, stop)
        return Source(draw, lambda z, _: np.asarray(z)[:, dimensions], None)
    draw = (
        make_grad_cam_draw(engine.backbone, category)
        if method.name == "grad-cam"
        else make_logit_draw(engine, category, stop)
    )
    index = case.index
    return Source(draw, lambda _, logits: np.asarray(logits)[:, [index]], np.ones(1))


def _make_module_source(case: Case, module: ExplanationModule | PcaProbe, stop: str) -> Source:
    return Source(
        make_module_draw(case.workspace.engine, module.get_attribution_layers(), stop),
        lambda z, _: apply_module(module, z)[0],
        module.v.weight[0].cpu().numpy(),
        module,
    )


def _draw_dimensions(case: Case, count: int) -> list[int]:
    z, _, _ = case.workspace.select_scores(case.features, case.category, case.split.train)
    firing = np.flatnonzero(z.max(axis=0) > 0)
    rng = np.random.default_rng((case.seed, case.index))
    chosen = rng.choice(firing, size=min(count, len(firing)), replace=False)
    return sorted(map(int, chosen))


def _find_or_train(case: Case, method: Method) -> Generator[Progress, None, ModuleEntry]:
    if method.settings is None:
        raise TypeError(f"{method.name} has no module")
    settings = method.settings, replace(method.training, seed=case.seed)
    entry = case.workspace.find_module(case.category, *settings)
    if entry is None:
        entry = yield from case.workspace.train_module(case.category, *settings)
    return entry
