"""The command ``sweep``: training modules of many categories, methods, settings and seeds."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from explorer.cli.options import (
    Device,
    WorkspacePath,
    add_settings,
    choose_categories,
    parse_numbers,
)
from explorer.cli.reporting import console, follow, print_modules
from explorer.config import ExplorerError
from explorer.evaluation.sweep.plan import (
    Engine,
    SweepError,
    SweepSettings,
    sweep_locally,
    sweep_modules,
)
from explorer.methods.registry import get_trained_methods
from explorer.settings.declaring import list_settings
from explorer.training.modules.settings import TrainingSettings
from explorer.workspace.workspace import Workspace


class EngineName(StrEnum):
    """How modules are trained."""

    LOCAL = "local"
    RAY = "ray"


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
    engine: Annotated[
        EngineName, typer.Option(help="Train one by one on this machine, or in parallel with Ray.")
    ] = EngineName.LOCAL,
    address: Annotated[
        str, typer.Option(help="Ray cluster with access to the workspace. [starts Ray]")
    ] = "",
    workers: Annotated[
        int, typer.Option(help="Parallel tasks if Ray is started here; 0 for one per core.")
    ] = 0,
    device: Device = "auto",
    **changes: Any,
) -> None:
    """Train and measure modules for every category, method, setting and seed."""
    chosen = _choose_engine(engine, address, workers)
    opened = Workspace(workspace, device)
    named = [name.strip() for name in categories.split(",") if name.strip()]
    training = TrainingSettings(**changes)
    plan = SweepSettings(
        categories=choose_categories(opened, named, every, "--categories NAME,NAME"),
        methods=get_trained_methods(methods, settings, training),
        seeds=parse_numbers(seeds, "--seeds", "0,1,2"),
        missing=missing,
    )
    try:
        done = follow(sweep_modules(opened, plan, chosen))
    except SweepError as error:
        print_modules(opened)
        _print_count(len(error.done))
        raise
    print_modules(opened)
    _print_count(len(done))


def _print_count(count: int) -> None:
    console.print(f"{count} {'module' if count == 1 else 'modules'} trained and measured.")


def _choose_engine(name: EngineName, address: str, workers: int) -> Engine:
    if name == EngineName.RAY:
        # Ray is an optional dependency that only this engine needs.
        from explorer.evaluation.sweep.ray_engine import make_engine  # noqa: PLC0415

        return make_engine(address, workers)
    if address or workers:
        raise ExplorerError("--address and --workers need --engine ray.")
    return sweep_locally
