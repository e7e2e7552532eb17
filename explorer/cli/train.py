"""The command ``train``: training and measuring explanation modules."""

from typing import Annotated, Any

import typer

from explorer.cli.engines import Address, EngineName, EngineOption, Workers, choose_engine
from explorer.cli.options import Device, WorkspacePath, add_settings, choose_categories
from explorer.cli.reporting import console, follow, measure_all, print_modules
from explorer.cli.sweep import train_with_engine
from explorer.config import ExplorerError
from explorer.evaluation.sweep.plan import SweepSettings
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
        bool, typer.Option("--missing", help="Train only modules that do not exist yet.")
    ] = False,
    group_size: Annotated[
        int, typer.Option(help="Most modules to train together; 0 for as many as fit the memory.")
    ] = 0,
    engine: EngineOption = EngineName.LOCAL,
    address: Address = "",
    workers: Workers = 0,
    device: Device = "auto",
    **changes: Any,
) -> None:
    """Train explanation modules, several at once, and measure them."""
    parallel = choose_engine(engine, address, workers)
    chosen = change_method(get_trained_method(method), changes)
    settings = chosen.settings, chosen.training
    opened = Workspace(workspace, device)
    wanted = choose_categories(opened, category or (), every, "--category NAME")
    if parallel is not None:
        seeds = (chosen.training.seed,)
        train_with_engine(opened, SweepSettings(wanted, (chosen,), seeds, missing), parallel)
        return
    entries: list[ModuleEntry] = []
    if missing:
        found = [find_module(opened, name, *settings) for name in wanted]
        entries = [entry for entry in found if entry is not None]
        console.print(f"{len(entries)} of {len(wanted)} modules already exist.")
    missing_categories = [c for c in wanted if c not in {entry.category for entry in entries}]
    entries = [entry for entry in entries if load_module_measures(opened, entry) is None]
    failures = []
    try:
        steps = train_modules(opened, missing_categories, *settings, group_size=group_size)
        entries += follow(steps)
    except NotTrainedError as error:  # the others are still measured
        entries += error.trained
        failures.append(str(error))
    failures += measure_all(opened, entries)
    print_modules(opened)
    if failures:
        raise ExplorerError("\n".join(failures))
