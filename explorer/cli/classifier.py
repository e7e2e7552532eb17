"""The commands that make a workspace and its classifier: ``new`` and ``finetune``."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from explorer.cli.options import Device, WorkspacePath
from explorer.cli.reporting import console, follow
from explorer.training.finetune import FinetuneSettings
from explorer.workspace import Workspace, WorkspaceSettings


def new(
    workspace: WorkspacePath,
    cub: Annotated[Path, typer.Option(help="Folder in the layout of CUB-200-2011.")],
    arch: Annotated[
        str, typer.Option(help="vgg19, 16, 13 or 11, with _bn or without; vgg_small.")
    ] = "vgg19",
    weights: Annotated[
        Path | None, typer.Option(help="Your own network: .safetensors, or .pth of tensors.")
    ] = None,
    layer: Annotated[str, typer.Option(help="The layer Z that is explained: fc6 or fc7.")] = "fc6",
    held_out: Annotated[
        str,
        typer.Option(help="Photos the network is not trained on: official, or last:N."),
    ] = "official",
) -> None:
    """Make a workspace for a CUB folder, with your own network if you have one."""
    settings = WorkspaceSettings(
        dataset=str(cub.resolve()), architecture=arch, z_layer=layer, held_out=held_out
    )
    made = Workspace.create(workspace, settings, weights)
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


def finetune(
    workspace: WorkspacePath,
    epochs: Annotated[int, typer.Option(help="Passes over the training photos.")] = 30,
    initial: Annotated[
        str, typer.Option(help="imagenet, scratch, or a file of weights. [by architecture]")
    ] = "",
    batch_size: int = 32,
    learning_rate: Annotated[float, typer.Option(help="Peak; 0 chooses by start.")] = 0.0,
    workers: Annotated[int, typer.Option(help="Processes that load photos.")] = 0,
    seed: int = 0,
    force: Annotated[bool, typer.Option(help="Replace the classifier that is there.")] = False,
    device: Device = "auto",
) -> None:
    """Train the workspace's classifier; its test accuracy is measured once, at the end."""
    settings = FinetuneSettings(
        initial=initial,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        workers=workers,
        seed=seed,
    )
    report = follow(Workspace(workspace, device).finetune(settings, force=force))
    console.print(
        f"Accuracy: validation {report['validation_accuracy']:.3f}, "
        f"test {report['test_accuracy']:.3f} on {report['photos']['test']} held-out photos."
    )
