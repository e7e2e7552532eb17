"""Makes small workspaces of painted birds, with an untrained network and two modules."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from steps import run_steps

from explorer.data.painted import PaintedSettings, paint_dataset
from explorer.evaluation.results import write_results
from explorer.measuring.classifier import measure_classifier
from explorer.measuring.module import measure_module
from explorer.measuring.name_records import FeatureName
from explorer.measuring.records import load_module_measures, save_module_measures
from explorer.methods.srae import SraeSettings
from explorer.nn.backbones.build import build_network
from explorer.training.modules.settings import TrainingSettings
from explorer.training.modules.train import train_module
from explorer.workspace.create import create_workspace
from explorer.workspace.settings import WorkspaceSettings
from explorer.workspace.workspace import Workspace

PAINTED = ("001.Ember_capped_Finch", "002.Harebell_capped_Finch")
# Names that a data set may bring along, in the places of those two.
HOSTILE = (
    "001.<b>Bold_[link](javascript:alert(1))_`_$x$_:red[red]_www.a.org_!🦜",
    "002.-_**strong**_<img src=x onerror=alert(2)>_|_|_e\u0301_\u200f_" + "long" * 20,
)
HOSTILE_RUN = "[link](javascript:alert(3)) <b> `"


def make_tiny_workspace(
    path: Path,
    names: Sequence[str] = PAINTED,
    measured: int = 1,
    architecture: str = "vgg_small",
    z_layer: str = "fc6",
) -> Path:
    """Make a workspace with two hardly trained modules, of which the first are measured."""
    torch.manual_seed(0)
    settings = PaintedSettings(
        photos_per_category=4, test_photos_per_category=1, size=64, supersampling=1, plan="pairs"
    )
    for _ in paint_dataset(path / "birds", settings):
        pass
    for painted, name in zip(PAINTED, names, strict=True):
        if painted != name:
            _rename_category(path / "birds", painted, name)
    weights = path / "weights.safetensors"
    save_file(build_network(architecture, 12, batch_norm=False).state_dict(), weights)
    own = WorkspaceSettings(dataset="birds", architecture=architecture, z_layer=z_layer)
    workspace = create_workspace(path, own, weights)
    weights.unlink()
    for number, name in enumerate(names):
        training = TrainingSettings(epochs=2, pretrain_epochs=0)
        entry = run_steps(train_module(workspace, name, SraeSettings(widths=(16, 8)), training))
        if number < measured:
            run_steps(measure_module(workspace, entry))
    return path


def forget_names(path: Path) -> Path:
    """Take away the names that were found, so that x-features are called by their numbers."""
    workspace = Workspace(path)
    for entry in workspace.list_modules():
        measures = load_module_measures(workspace, entry)
        if measures is not None:
            unclear = (FeatureName("unclear", "unclear"),) * len(measures.names)
            save_module_measures(entry, replace(measures, names=unclear))
    return path


def make_finished_workspace(path: Path) -> Path:
    """Make one in which the network and both modules are measured."""
    make_tiny_workspace(path, measured=len(PAINTED))
    run_steps(measure_classifier(Workspace(path)))
    return path


def make_hostile_workspace(path: Path) -> Path:
    """Make one in which names of categories and of a run are Markdown, HTML and worse."""
    make_tiny_workspace(path, HOSTILE, measured=len(HOSTILE))
    run_steps(measure_classifier(Workspace(path)))
    measured = {"locality": 1.5, "f_reg_test": 0.1}
    rows = [{"method": "z", "category": name, "seed": 0, "measures": measured} for name in HOSTILE]
    write_results(path, rows)
    run = next(path.glob("modules/001*/*"))
    run.rename(run.with_name(HOSTILE_RUN))
    return path


def _rename_category(root: Path, old: str, new: str) -> None:
    for table in ("classes.txt", "images.txt"):
        path = root / table
        path.write_text(path.read_text().replace(old, new))
    (root / "images" / old).rename(root / "images" / new)
    (root / "traits.json").unlink(missing_ok=True)
