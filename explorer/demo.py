"""Builds the demo workspace: painted birds, a network trained on them, a module per category."""

from pathlib import Path

from explorer.config import ExplorerError, Steps
from explorer.data.augment import AugmentSettings
from explorer.data.painted.dataset import PaintedSettings, paint_dataset
from explorer.data.painted.plans import DEFAULT_PLAN
from explorer.data.painted.truth import load_truth
from explorer.shipping.building import BIRDS_FOLDER, complete_workspace, open_or_create
from explorer.storage.listing import list_folder
from explorer.training.classifier.settings import FinetuneSettings
from explorer.training.parts.settings import PartSettings
from explorer.workspace.layout import (
    CLASSIFIER_FILE,
    FEATURES_FOLDER,
    FINETUNING_FILE,
    FINETUNING_FOLDER,
    METRICS_FILE,
    MODULES_FOLDER,
    PARTS_FILE,
    PARTS_FOLDER,
    REFERENCES_FILE,
    RESULTS_FOLDER,
    SANITY_FOLDER,
    SETTINGS_FILE,
)
from explorer.workspace.workspace import Workspace

# A crop must keep every part: a single one may distinguish a category from its relative.
# In full precision, so that it is the same on every processor.
_FINETUNE = FinetuneSettings(
    architecture="vgg_small_gap",
    epochs=30,
    augment=AugmentSettings(min_zoom=0.6, min_box_fraction=1.0),
    precision="full",
)
_PARTS = PartSettings(width=64, precision="full")


def build_demo(folder: Path, plan: str = DEFAULT_PLAN) -> Steps[Workspace]:
    """Paint the birds, train the network, and train and measure all modules.

    Everything is seeded. Weights are stored in half precision to keep the demo small. An
    interrupted build is resumed.

    Parameters
    ----------
    folder : Path
        The workspace, which is created if it does not exist.
    plan : str
        The categories, a key of `explorer.data.painted.plans.PLANS`.

    Raises
    ------
    ExplorerError
        When there is no such plan, or the folder has birds of another one.
    """
    settings = PaintedSettings(plan=plan)
    truth = load_truth(folder / BIRDS_FOLDER)
    if truth is not None and truth.settings.plan != plan:
        raise ExplorerError(
            f"{folder} has other birds: {truth.settings.plan}, not {plan}. Start from scratch with "
            "--force, or name another folder."
        )
    if not (folder / BIRDS_FOLDER).exists():
        yield from paint_dataset(folder / BIRDS_FOLDER, settings)
    workspace = open_or_create(folder, BIRDS_FOLDER, _FINETUNE)
    yield from complete_workspace(workspace, _FINETUNE, parts=_PARTS)
    return workspace


def is_demo(folder: Path) -> bool:
    """Return whether `folder` contains a demo, finished or not, and nothing else."""
    names = {path.name for path in list_folder(folder)}
    return BIRDS_FOLDER in names and names <= {
        BIRDS_FOLDER,
        SETTINGS_FILE,
        CLASSIFIER_FILE,
        FINETUNING_FILE,
        FINETUNING_FOLDER,
        METRICS_FILE,
        FEATURES_FOLDER,
        MODULES_FOLDER,
        PARTS_FILE,
        PARTS_FOLDER,
        REFERENCES_FILE,
        RESULTS_FOLDER,
        SANITY_FOLDER,
    }
