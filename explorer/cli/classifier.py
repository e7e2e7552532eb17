"""The commands ``new`` and ``finetune``, which create a workspace and its classifier."""

import os
import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from explorer.cli.options import Device, WorkspacePath, add_settings
from explorer.cli.reporting import console, follow
from explorer.data.identical import describe_identical
from explorer.measuring.fitness import check_fitness
from explorer.nn.backbones.registry import ARCHITECTURES, get_family
from explorer.settings.declaring import list_settings
from explorer.training.classifier.settings import FinetuneSettings
from explorer.training.classifier.train import train_classifier
from explorer.workspace.create import create_looked_through_workspace
from explorer.workspace.layout import list_unfinished_finetuning
from explorer.workspace.settings import WorkspaceSettings
from explorer.workspace.workspace import Workspace

_MAX_WORKERS = 8


def new(
    workspace: WorkspacePath,
    cub: Annotated[Path, typer.Option(help="Folder in the layout of CUB-200-2011.")],
    arch: Annotated[str, typer.Option(help=f"The network: {', '.join(ARCHITECTURES)}.")] = "vgg19",
    weights: Annotated[
        Path | None, typer.Option(help="Your own network: .safetensors, or .pth with tensors.")
    ] = None,
    layer: Annotated[
        str,
        typer.Option(
            help="The layer Z to explain, such as fc7, pool5 (flattened) or pool5-mean (averaged "
            "over positions). By default fc6, or avgpool in ResNets and the _gap networks."
        ),
    ] = "",
    held_out: Annotated[
        str,
        typer.Option(help="Photos not used to train the network: official, or last:N."),
    ] = "official",
) -> None:
    """Create a workspace for a CUB folder, optionally with your own network.

    Your own network is tried on a few held-out photos, and a note says if it is near chance.
    """
    settings = WorkspaceSettings(
        dataset=str(cub.resolve()),
        architecture=arch,
        z_layer=layer or get_family(arch).z_layer,
        held_out=held_out,
    )
    created = follow(create_looked_through_workspace(workspace, settings, weights))
    dataset = created.dataset
    console.print(
        f"{workspace}: {len(dataset.photos):,} photos of {len(dataset.categories)} categories, "
        f"{len(created.held_out):,} of them held out.",
        markup=False,
    )
    imported = created.networks.classifier_report["notes"] if weights else []
    fitness = follow(check_fitness(created)) if weights else ""
    identical = describe_identical(dataset.photos, dataset.identical)
    for note in (*dataset.warnings, *imported, *identical, fitness):
        if note:
            console.print(f"Note: {note}", markup=False)
    if dataset.identical:
        console.print("Identical photos are kept on one side of every split.")
    following = "train WORKSPACE --category NAME" if weights else "finetune WORKSPACE"
    command = following.replace("WORKSPACE", shlex.quote(str(workspace)))
    console.print(f"Next: python -m explorer {command}", markup=False, soft_wrap=True)


@add_settings(list_settings(FinetuneSettings))
def finetune(
    workspace: WorkspacePath,
    workers: Annotated[
        int | None,
        typer.Option(help="Processes that load photos; by default as many as a GPU needs."),
    ] = None,
    force: Annotated[bool, typer.Option(help="Replace an existing classifier.")] = False,
    restart: Annotated[bool, typer.Option("--restart", help="Discard an unfinished run.")] = False,
    device: Device = "auto",
    **changes: Any,
) -> None:
    """Train the workspace's classifier. Resumes an interrupted run.

    On a GPU, all layers are trained at once. Without one, training starts with the last layers, for
    which the output of all others is computed only once, and ends with all layers. `--initial`
    takes a file without the last layers, which are then new.

    At the end, the test accuracy is measured once, on the held-out photos. The validation accuracy
    is measured on a share of the other photos.
    """
    opened = Workspace(workspace, device)
    chosen = _choose_workers(opened.networks.device.type) if workers is None else workers
    settings = FinetuneSettings(workers=chosen, **changes)
    if list_unfinished_finetuning(opened.path) and not restart:
        console.print("Resuming an unfinished fine-tuning run.")
    report = follow(train_classifier(opened, settings, force=force, restart=restart))
    for note in report["initial_notes"]:
        console.print(f"Note: {note}", markup=False)
    if report["fresh_layers"]:
        console.print(f"New layers: {', '.join(report['fresh_layers'])}.", markup=False)
    console.print(
        f"Accuracy: validation {report['validation_accuracy']:.3f}, "
        f"test {report['test_accuracy']:.3f} (top-5 {report['test_top5']:.3f}) on "
        f"{report['photos']['test']} held-out photos."
    )


def _choose_workers(device: str) -> int:
    """Load photos in other processes if a GPU would wait for them; a CPU has no idle cores."""
    return max(0, min(_MAX_WORKERS, (os.cpu_count() or 1) - 1)) if device == "cuda" else 0
