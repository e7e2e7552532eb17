"""The command ``sweep``: training modules of many categories, methods, settings and seeds."""

from typing import Annotated, Any

import typer

from explorer.cli.engines import Address, EngineName, EngineOption, Workers, choose_engine
from explorer.cli.options import (
    Device,
    WorkspacePath,
    add_settings,
    choose_categories,
    parse_numbers,
)
from explorer.cli.reporting import console, follow, print_modules
from explorer.engines.tasks import Engine, run_locally
from explorer.evaluation.sweep.plan import SweepError, SweepSettings, sweep_modules
from explorer.methods.registry import get_trained_methods
from explorer.settings.declaring import list_settings
from explorer.training.modules.settings import TrainingSettings
from explorer.workspace.workspace import Workspace


@add_settings(one for one in list_settings(TrainingSettings) if one.name != "seed")
def sweep(
    workspace: WorkspacePath,
    categories: Annotated[
        str, typer.Option(help="Such as 'painted bunting,cardinal'; or use --all.")
    ] = "",
    every: Annotated[bool, typer.Option("--all", help="All categories.")] = False,
    methods: Annotated[
        str, typer.Option(help="'all', or srae,nn,… or srae:beta=10,…, as for evaluate.")
    ] = "srae",
    settings: Annotated[
        str, typer.Option(help="Settings to try with each method, such as beta=1,beta=10:q=50.")
    ] = "",
    seeds: Annotated[str, typer.Option(help="Seeds of modules and splits, such as 0,1,2.")] = "0",
    missing: Annotated[
        bool, typer.Option("--missing", help="Train only modules that do not exist yet.")
    ] = False,
    engine: EngineOption = EngineName.LOCAL,
    address: Address = "",
    workers: Workers = 0,
    device: Device = "auto",
    **changes: Any,
) -> None:
    """Train and measure modules for every category, method, setting and seed."""
    chosen = choose_engine(engine, address, workers)
    opened = Workspace(workspace, device)
    named = [name.strip() for name in categories.split(",") if name.strip()]
    training = TrainingSettings(**changes)
    plan = SweepSettings(
        categories=choose_categories(opened, named, every, "--categories NAME,NAME"),
        methods=get_trained_methods(methods, settings, training),
        seeds=parse_numbers(seeds, "--seeds", "0,1,2"),
        missing=missing,
    )
    train_with_engine(opened, plan, chosen or run_locally)


def train_with_engine(workspace: Workspace, plan: SweepSettings, engine: Engine) -> None:
    """Train and measure modules with an engine, and print all modules and their number.

    Raises
    ------
    SweepError
        At the end, if some modules could not be trained or measured.
    """
    try:
        done = follow(sweep_modules(workspace, plan, engine))
    except SweepError as error:
        print_modules(workspace)
        _print_count(len(error.done))
        raise
    print_modules(workspace)
    _print_count(len(done))


def _print_count(count: int) -> None:
    console.print(f"{count} {'module' if count == 1 else 'modules'} trained and measured.")
