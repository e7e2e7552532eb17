"""The commands that make a workspace and its classifier: ``new`` and ``finetune``."""

import os
import shlex
from pathlib import Path
from typing import Annotated

import typer

from explorer.cli.options import Device, WorkspacePath
from explorer.cli.reporting import console, follow
from explorer.training.classifier.settings import FinetuneSettings
from explorer.workspace.layout import FINETUNING_FILE
from explorer.workspace.workspace import Workspace, WorkspaceSettings

_MOST_WORKERS = 8


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
        str, typer.Option(help="imagenet, scratch, or a file of weights; else by --arch.")
    ] = "",
    batch_size: int = FinetuneSettings.batch_size,
    learning_rate: Annotated[float, typer.Option(help="Peak; 0 chooses by start.")] = 0.0,
    head_factor: Annotated[
        float, typer.Option(help="Last layer's learning rate over the others'; 0 chooses.")
    ] = 0.0,
    warm_up: Annotated[
        float, typer.Option(help="Share of steps in which the rate rises; 0 chooses.")
    ] = 0.0,
    weight_decay: float = FinetuneSettings.weight_decay,
    label_smoothing: float = FinetuneSettings.label_smoothing,
    precision: Annotated[
        str, typer.Option(help="auto, full, bfloat16 or float16 (mixed with full).")
    ] = FinetuneSettings.precision,
    workers: Annotated[
        int | None,
        typer.Option(help="Processes that load photos; by default as many as a card needs."),
    ] = None,
    seed: int = 0,
    force: Annotated[bool, typer.Option(help="Replace the classifier that is there.")] = False,
    restart: Annotated[
        bool, typer.Option("--restart", help="Drop a run that was not finished.")
    ] = False,
    device: Device = "auto",
) -> None:
    """Train the workspace's classifier; goes on where it was ended. It is tested once, at the end.

    The test accuracy is measured on held-out photos, that of validation on a share of the others.
    """
    opened = Workspace(workspace, device)
    settings = FinetuneSettings(
        initial=initial,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        head_factor=head_factor,
        warm_up=warm_up,
        weight_decay=weight_decay,
        label_smoothing=label_smoothing,
        precision=precision,
        workers=_choose_workers(opened.device.type) if workers is None else workers,
        seed=seed,
    )
    if (opened.path / FINETUNING_FILE).exists() and not restart:
        console.print("Going on with a fine-tuning that was not finished.")
    report = follow(opened.finetune(settings, force=force, restart=restart))
    console.print(
        f"Accuracy: validation {report['validation_accuracy']:.3f}, "
        f"test {report['test_accuracy']:.3f} on {report['photos']['test']} held-out photos."
    )


def _choose_workers(device: str) -> int:
    """Load photos beside a card, which would wait for them; a CPU has no core to spare."""
    return max(0, min(_MOST_WORKERS, (os.cpu_count() or 1) - 1)) if device == "cuda" else 0
