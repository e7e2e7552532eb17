"""Builds the demo workspace: painted birds, a network trained on them, a module per category."""

from pathlib import Path

from explorer.config import Steps
from explorer.data.augment import AugmentSettings
from explorer.data.painted.dataset import paint_dataset
from explorer.measuring.classifier import measure_classifier
from explorer.measuring.module import measure_module
from explorer.measuring.records import load_classifier_measures, load_module_measures
from explorer.methods.registry import DEFAULT
from explorer.training.classifier.settings import FinetuneSettings
from explorer.training.classifier.train import train_classifier
from explorer.training.modules.train import find_module, train_modules
from explorer.workspace.create import create_workspace
from explorer.workspace.layout import (
    CLASSIFIER_FILE,
    FEATURES_FOLDER,
    FINETUNING_FILE,
    FINETUNING_FOLDER,
    METRICS_FILE,
    MODULES_FOLDER,
    RESULTS_FOLDER,
    SANITY_FOLDER,
    SETTINGS_FILE,
)
from explorer.workspace.settings import WorkspaceSettings
from explorer.workspace.workspace import Workspace

BIRDS_FOLDER = "birds"

# A crop must keep every part: a single one may distinguish a category from its relative.
# In full precision, so that it is the same on every processor.
_FINETUNE = FinetuneSettings(
    epochs=40, augment=AugmentSettings(min_zoom=0.6, min_box_fraction=1.0), precision="full"
)


def build_demo(folder: Path) -> Steps[Workspace]:
    """Paint the birds, train the network, and train and measure all modules.

    Everything is seeded. Weights are stored in half precision to keep the demo small. An
    interrupted build is resumed.
    """
    if not (folder / BIRDS_FOLDER).exists():
        yield from paint_dataset(folder / BIRDS_FOLDER)
    if not (folder / SETTINGS_FILE).exists():
        create_workspace(folder, WorkspaceSettings(dataset=BIRDS_FOLDER, half=True))
    workspace = Workspace(folder)
    if not workspace.settings.classifier_sha256:
        yield from train_classifier(workspace, _FINETUNE)
    if load_classifier_measures(workspace) is None:
        yield from measure_classifier(workspace)
    settings = DEFAULT.settings, DEFAULT.training
    categories = workspace.dataset.categories
    found = [find_module(workspace, category, *settings) for category in categories]
    missing = [name for name, entry in zip(categories, found, strict=True) if entry is None]
    trained = (yield from train_modules(workspace, missing, *settings)) if missing else ()
    for entry in (*filter(None, found), *trained):
        if load_module_measures(workspace, entry) is None:
            yield from measure_module(workspace, entry)
    return workspace


def is_demo(folder: Path) -> bool:
    """Return whether `folder` contains a demo, finished or not, and nothing else."""
    names = {path.name for path in folder.iterdir()}
    return BIRDS_FOLDER in names and names <= {
        BIRDS_FOLDER,
        SETTINGS_FILE,
        CLASSIFIER_FILE,
        FINETUNING_FILE,
        FINETUNING_FOLDER,
        METRICS_FILE,
        FEATURES_FOLDER,
        MODULES_FOLDER,
        RESULTS_FOLDER,
        SANITY_FOLDER,
    }
