"""The commands that make a workspace and its classifier: ``new`` and ``finetune``."""

import os
import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from explorer.cli.options import Device, WorkspacePath, add_settings
from explorer.cli.reporting import console, follow
from explorer.nn.backbones.registry import ARCHITECTURES, get_family
from explorer.settings.declaring import list_settings
from explorer.training.classifier.settings import FinetuneSettings
from explorer.training.classifier.train import train_classifier
from explorer.workspace.create import create_workspace
from explorer.workspace.layout import FINETUNING_FILE
from explorer.workspace.settings import WorkspaceSettings
from explorer.workspace.workspace import Workspace

_MOST_WORKERS = 8


def new(
    workspace: WorkspacePath,
    cub: Annotated[Path, typer.Option(help="Folder in the layout of CUB-200-2011.")],
    arch: Annotated[str, typer.Option(help=f"The network: {', '.join(ARCHITECTURES)}.")] = "vgg19",
    weights: Annotated[
        Path | None, typer.Option(help="Your own network: .safetensors, or .pth of tensors.")
    ] = None,
    layer: Annotated[
        str,
        typer.Option(
            help="The layer Z that is explained, such as fc7, pool5 (all of it) or pool5-mean (its "
            "averages). By default fc6, and avgpool in ResNets."
        ),
    ] = "",
    held_out: Annotated[
        str,
        typer.Option(help="Photos the network is not trained on: official, or last:N."),
    ] = "official",
) -> None:
    """Make a workspace for a CUB folder, with your own network if you have one."""
    settings = WorkspaceSettings(
        dataset=str(cub.resolve()),
        architecture=arch,
        z_layer=layer or get_family(arch).z_layer,
        held_out=held_out,
    )
    made = create_workspace(workspace, settings, weights)
    dataset = made.dataset
    console.print(
        f"{workspace}: {len(dataset.photos):,} photos of {len(dataset.categories)} categories, "
        f"{len(made.held_out):,} of them held out.",
        markup=False,
    )
    for warning in dataset.warnings:
        console.print(f"Note: {warning}", markup=False)
    following = "train WORKSPACE --category NAME" if weights else "finetune WORKSPACE"
    command = following.replace("WORKSPACE", shlex.quote(str(workspace)))
    console.print(f"Next: python -m explorer {command}", markup=False, soft_wrap=True)


@add_settings(list_settings(FinetuneSettings))
def finetune(
    workspace: WorkspacePath,
    workers: Annotated[
        int | None,
        typer.Option(help="Processes that load photos; by default as many as a card needs."),
    ] = None,
    force: Annotated[bool, typer.Option(help="Replace the classifier that is there.")] = False,
    restart: Annotated[
        bool, typer.Option("--restart", help="Drop a run that was not finished.")
    ] = False,
    device: Device = "auto",
    **changes: Any,
) -> None:
    """Train the workspace's classifier. Resumes where it stopped, and tests once, at the end.

    The test accuracy is measured on held-out photos, that of validation on a share of the others.
    """
    opened = Workspace(workspace, device)
    chosen = _choose_workers(opened.networks.device.type) if workers is None else workers
    settings = FinetuneSettings(workers=chosen, **changes)
    if (opened.path / FINETUNING_FILE).exists() and not restart:
        console.print("Resuming a fine-tuning that was not finished.")
    report = follow(train_classifier(opened, settings, force=force, restart=restart))
    console.print(
        f"Accuracy: validation {report['validation_accuracy']:.3f}, "
        f"test {report['test_accuracy']:.3f} on {report['photos']['test']} held-out photos."
    )


def _choose_workers(device: str) -> int:
    """Load photos beside a card, which would wait for them; a CPU has no core to spare."""
    return max(0, min(_MOST_WORKERS, (os.cpu_count() or 1) - 1)) if device == "cuda" else 0
