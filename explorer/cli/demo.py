"""The command ``demo``: building the demo workspace."""

from pathlib import Path
from typing import Annotated

import typer

from explorer.cli.reporting import console, follow, print_modules
from explorer.config import DEMO_WORKSPACE, ExplorerError
from explorer.data.painted.plans import DEFAULT_PLAN, PLANS
from explorer.demo import build_demo, is_demo
from explorer.storage.listing import list_folder
from explorer.storage.writing import remove
from explorer.workspace.workspace import Workspace


def demo(
    folder: Annotated[Path, typer.Argument(help="Where to build it.")] = DEMO_WORKSPACE,
    birds: Annotated[
        str, typer.Option(help=f"Which birds are painted: {' or '.join(PLANS)}.")
    ] = DEFAULT_PLAN,
    force: Annotated[bool, typer.Option(help="Start from scratch.")] = False,
) -> None:
    """Paint birds, train a network and modules, and measure them. Resumes an interrupted run."""
    if folder.exists() and not folder.is_dir():
        raise ExplorerError(f"{folder} is a file. Name a folder.")
    if list_folder(folder):
        if not is_demo(folder):
            raise ExplorerError(f"{folder} is neither empty nor a demo. Name another folder.")
        if force:
            remove(folder)
    follow(build_demo(folder, birds))
    built = Workspace(folder)
    print_modules(built)
    accuracy = built.networks.classifier_report["test_accuracy"]
    console.print(f"Test accuracy {accuracy:.4f}.")
