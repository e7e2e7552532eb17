"""The demo workspace: painted birds, a small network trained on them, a module per category."""

from collections.abc import Generator
from pathlib import Path

from explorer.config import Progress
from explorer.data.augment import AugmentSettings
from explorer.data.painted.dataset import paint_dataset
from explorer.nn.settings import ModuleSettings
from explorer.training.classifier.settings import FinetuneSettings
from explorer.training.modules.settings import TrainingSettings
from explorer.workspace.layout import (
    CLASSIFIER_FILE,
    FEATURES_FOLDER,
    FINETUNING_FILE,
    METRICS_FILE,
    MODULES_FOLDER,
    RESULTS_FOLDER,
    SANITY_FOLDER,
    SETTINGS_FILE,
)
from explorer.workspace.workspace import Workspace, WorkspaceSettings

BIRDS_FOLDER = "birds"

# A crop must not cut off the one part that tells a category from its relative.
_FINETUNE = FinetuneSettings(epochs=40, augment=AugmentSettings(min_zoom=0.6, min_box_fraction=1.0))


def build_demo(folder: Path) -> Generator[Progress, None, Workspace]:
    """Paint the birds, fine-tune the network and train and measure all modules, seeded.

    Weights are kept in half precision so that the whole demo stays small enough to ship. What an
    earlier, interrupted build has finished is kept.
    """
    if not (folder / BIRDS_FOLDER).exists():
        yield from paint_dataset(folder / BIRDS_FOLDER)
    if not (folder / SETTINGS_FILE).exists():
        Workspace.create(folder, WorkspaceSettings(dataset=BIRDS_FOLDER, half=True))
    workspace = Workspace(folder)
    if not workspace.settings.classifier_sha256:
        yield from workspace.finetune(_FINETUNE)
    if workspace.load_classifier_metrics() is None:
        yield from workspace.measure_classifier()
    settings = ModuleSettings(), TrainingSettings()
    categories = workspace.dataset.categories
    found = [workspace.find_module(category, *settings) for category in categories]
    missing = [name for name, entry in zip(categories, found, strict=True) if entry is None]
    trained = (yield from workspace.train_modules(missing, *settings)) if missing else ()
    for entry in (*filter(None, found), *trained):
        if workspace.load_metrics(entry) is None:
            yield from workspace.evaluate_module(entry)
    return workspace


def is_demo(folder: Path) -> bool:
    """Tell whether `folder` is a demo, finished or not, and nothing else."""
    names = {path.name for path in folder.iterdir()}
    return BIRDS_FOLDER in names and names <= {
        BIRDS_FOLDER,
        SETTINGS_FILE,
        CLASSIFIER_FILE,
        FINETUNING_FILE,
        METRICS_FILE,
        FEATURES_FOLDER,
        MODULES_FOLDER,
        RESULTS_FOLDER,
        SANITY_FOLDER,
    }
