"""Completing a workspace: the network, all modules, and their measures."""

from pathlib import Path

from explorer.config import Steps
from explorer.data.augment import AugmentSettings
from explorer.engines.features import compute_features
from explorer.engines.tasks import Engine, run_all, run_locally
from explorer.measuring.classifier import measure_classifier
from explorer.measuring.module import MeasuringTask, measure_module
from explorer.measuring.records import load_classifier_measures, load_module_measures
from explorer.measuring.references import load_or_compute_references
from explorer.methods.registry import DEFAULT
from explorer.nn.backbones.registry import get_family
from explorer.nn.losses import ModuleSettings
from explorer.training.classifier.settings import FinetuneSettings
from explorer.training.classifier.train import train_classifier
from explorer.training.modules.settings import TrainingSettings
from explorer.training.modules.task import TrainingTask
from explorer.training.modules.train import find_module, train_modules
from explorer.training.parts.settings import DEFAULT_PARTS, PartSettings
from explorer.training.parts.train import train_part_finder
from explorer.workspace.create import create_workspace
from explorer.workspace.layout import PARTS_FILE, SETTINGS_FILE
from explorer.workspace.settings import WorkspaceSettings
from explorer.workspace.workspace import Workspace

BIRDS_FOLDER = "birds"
"""The data set within a shipped workspace."""
BIRDS_FINETUNE = FinetuneSettings(
    architecture="vgg16_gap",
    # Layers above pool3 learn from new crops in every epoch, which do not fit on the disk.
    stages="pool5=8,pool3=12@3e-5",
    views=2,
    cache_gigabytes=1.0,
    head_factor=10.0,
    # Birds are as large as in whole photos, on which the network is used.
    augment=AugmentSettings(min_zoom=0.7, min_box_fraction=0.8),
)
"""How the network of real birds is trained on a processor: three and a half hours on two cores."""


def complete_workspace(
    workspace: Workspace,
    finetune: FinetuneSettings,
    module: ModuleSettings = DEFAULT.settings,
    training: TrainingSettings = DEFAULT.training,
    *,
    parts: PartSettings = DEFAULT_PARTS,
    engine: Engine | None = None,
) -> Steps[None]:
    """Train the network, its part finder and a module per category, and measure all of them.

    What exists is kept, so an interrupted run continues where it stopped. With an engine, features
    are computed in shards, and modules trained and measured one by one, several at the same time;
    without one, modules are trained in groups in this process, with the progress of each.
    """
    if not workspace.settings.classifier_sha256:
        yield from train_classifier(workspace, finetune)
    yield from compute_features(workspace, engine or run_locally)
    if load_classifier_measures(workspace) is None:
        yield from measure_classifier(workspace)
    if not (workspace.path / PARTS_FILE).exists():
        yield from train_part_finder(workspace, parts)
    categories = workspace.dataset.categories
    missing = [c for c in categories if find_module(workspace, c, module, training) is None]
    if missing and engine is not None:
        trainings = [TrainingTask(name, module, training) for name in missing]
        yield from run_all(workspace, trainings, engine, "Training modules", "Not trained")
    elif missing:
        yield from train_modules(workspace, missing, module, training)
    entries = filter(None, (find_module(workspace, name, module, training) for name in categories))
    unmeasured = [entry for entry in entries if load_module_measures(workspace, entry) is None]
    if engine is not None:
        tasks = [MeasuringTask(entry.category, entry.run) for entry in unmeasured]
        yield from run_all(workspace, tasks, engine, "Measuring modules", "Not measured")
    else:
        for entry in unmeasured:
            yield from measure_module(workspace, entry)
    yield from load_or_compute_references(workspace)


def open_or_create(
    folder: Path, dataset: str, finetune: FinetuneSettings, device: str = "cpu"
) -> Workspace:
    """Open the workspace to be built, or create it with the usual Z of its network."""
    if not (folder / SETTINGS_FILE).exists():
        arch = finetune.architecture
        z_layer = get_family(arch).z_layer
        create_workspace(folder, WorkspaceSettings(dataset, arch, z_layer, half=True))
    return Workspace(folder, device)


def build_birds(
    folder: Path,
    cub: Path,
    finetune: FinetuneSettings,
    module: ModuleSettings,
    *,
    device: str = "cpu",
    engine: Engine | None = None,
) -> Steps[Workspace]:
    """Build the workspace of real birds from a CUB folder. An interrupted build is resumed.

    Parameters
    ----------
    folder : Path
        The workspace, which is created if it does not exist.
    cub : Path
        CUB-200-2011, or a subset of it.
    finetune : FinetuneSettings
        The network, and how it is trained.
    module : ModuleSettings
        Of all modules. Narrow ones, since there are many.
    device : str
        Where networks run.
    engine : Engine, optional
        Trains and measures modules; see `complete_workspace`.
    """
    workspace = open_or_create(folder, str(cub.resolve()), finetune, device)
    yield from complete_workspace(workspace, finetune, module, engine=engine)
    return workspace
