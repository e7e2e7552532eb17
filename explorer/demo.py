"""The demo workspace: painted birds, a small network trained on them, a module per category."""

from collections.abc import Generator
from pathlib import Path

from explorer.config import Progress
from explorer.data.augment import AugmentSettings
from explorer.data.painted.dataset import paint_dataset
from explorer.nn.srae import ModuleSettings
from explorer.training.finetune import FinetuneSettings
from explorer.training.trainer import TrainingSettings
from explorer.workspace import Workspace, WorkspaceSettings

BIRDS_FOLDER = "birds"

# A crop must not cut off the one part that tells a category from its relative.
_FINETUNE = FinetuneSettings(epochs=40, augment=AugmentSettings(min_zoom=0.6, min_box_fraction=1.0))


def build_demo(folder: Path) -> Generator[Progress, None, Workspace]:
    """Paint the birds, fine-tune the network and train and measure all modules, seeded.

    Weights are kept in half precision so that the whole demo stays small enough to ship.
    """
    yield from paint_dataset(folder / BIRDS_FOLDER)
    workspace = Workspace.create(folder, WorkspaceSettings(dataset=BIRDS_FOLDER, half=True))
    yield from workspace.finetune(_FINETUNE)
    for category in workspace.dataset.categories:
        entry = yield from workspace.train_module(category, ModuleSettings(), TrainingSettings())
        yield from workspace.evaluate_module(entry)
    return workspace
