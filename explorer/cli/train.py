"""The command ``train``: explanation modules, many at once, and their measures."""

from typing import Annotated, Any

import typer

from explorer.cli.options import Device, WorkspacePath, add_settings, choose_categories
from explorer.cli.reporting import console, follow, measure_all, print_modules
from explorer.config import ExplorerError
from explorer.measuring.records import load_module_measures
from explorer.methods.registry import (
    DEFAULT,
    change_method,
    get_trained_method,
    list_module_settings,
    list_trained,
)
from explorer.settings.declaring import list_settings
from explorer.training.modules.settings import TrainingSettings
from explorer.training.modules.train import NotTrainedError, find_module, train_modules
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace

_METHODS = ", ".join(method.name for method in list_trained())


@add_settings((*list_module_settings(), *list_settings(TrainingSettings)))
def train(
    workspace: WorkspacePath,
    category: Annotated[
        list[str] | None, typer.Option(help="Such as 'painted bunting'; can be repeated.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All categories.")] = False,
    method: Annotated[str, typer.Option(help=f"One of: {_METHODS}.")] = DEFAULT.name,
    missing: Annotated[
        bool, typer.Option("--missing", help="Leave out modules that are there already.")
    ] = False,
    group_size: Annotated[
        int, typer.Option(help="Most modules to train at once. [by the memory they take]")
    ] = 0,
    device: Device = "auto",
    **changes: Any,
) -> None:
    """Train explanation modules, many at once, and measure them."""
    chosen = change_method(get_trained_method(method), changes)
    settings = chosen.settings, chosen.training
    opened = Workspace(workspace, device)
    wanted = choose_categories(opened, category or (), every, "--category NAME")
    entries: list[ModuleEntry] = []
    if missing:
        found = [find_module(opened, name, *settings) for name in wanted]
        entries = [entry for entry in found if entry is not None]
        console.print(f"{len(entries)} of {len(wanted)} modules are there already.")
    absent = [name for name in wanted if name not in {entry.category for entry in entries}]
    entries = [entry for entry in entries if load_module_measures(opened, entry) is None]
    failures = []
    try:
        entries += follow(train_modules(opened, absent, *settings, group_size=group_size))
    except NotTrainedError as error:  # the others are measured all the same
        entries += error.trained
        failures.append(str(error))
    failures += measure_all(opened, entries)
    print_modules(opened)
    if failures:
        raise ExplorerError("\n".join(failures))
