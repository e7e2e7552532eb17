"""The commands ``birds`` and ``pack``: building the workspace of real birds, and shipping it."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Column, Table

from explorer.cli.engines import Address, EngineName, EngineOption, Workers, choose_engine
from explorer.cli.options import Device, WorkspacePath, add_settings, parse_numbers
from explorer.cli.reporting import console, follow, print_modules
from explorer.methods.registry import DEFAULT
from explorer.settings.declaring import list_settings
from explorer.shipping.building import BIRDS_FINETUNE, build_birds
from explorer.shipping.packing import MOST_MEGABYTES, pack_workspace
from explorer.storage.space import format_size
from explorer.training.modules.runs import name_run
from explorer.workspace.workspace import Workspace

_WIDTHS = "24x20"  # of 200 modules beside a network of 56 MB


def pack(
    workspace: WorkspacePath,
    target: Annotated[Path, typer.Argument(help="The new folder.")],
    run: Annotated[str, typer.Option(help="Pack only modules of this run; by default all.")] = "",
    most_megabytes: Annotated[float, typer.Option(help="Refuse more than this.")] = MOST_MEGABYTES,
    device: Device = "auto",
) -> None:
    """Pack a finished workspace into a small one without photos, which can be handed on."""
    _print_sizes(
        follow(
            pack_workspace(
                Workspace(workspace, device), target, run=run, most_megabytes=most_megabytes
            )
        )
    )


@add_settings(list_settings(BIRDS_FINETUNE))
def birds(
    workspace: WorkspacePath,
    cub: Annotated[Path, typer.Option(help="CUB-200-2011.")],
    target: Annotated[
        Path | None, typer.Option("--pack", help="Pack the result into this folder.")
    ] = None,
    widths: Annotated[str, typer.Option(help="Widths of all modules.")] = _WIDTHS,
    engine: EngineOption = EngineName.LOCAL,
    address: Address = "",
    workers: Workers = 0,
    device: Device = "auto",
    **changes: Any,
) -> None:
    """Build the workspace of real birds: network, modules and measures. Resumes an interrupted run.

    It starts from torchvision's ImageNet weights of VGG16's convolutions, or with `--initial` from
    those of a file; the other layers are new.
    """
    chosen = choose_engine(engine, address, workers)
    finetune = replace(BIRDS_FINETUNE, **changes)
    module = replace(
        DEFAULT.settings, widths=parse_numbers(widths.replace("x", ","), "--widths", _WIDTHS)
    )
    built = follow(build_birds(workspace, cub, finetune, module, device=device, engine=chosen))
    print_modules(built)
    if target is not None:
        run = name_run(module, DEFAULT.training)
        _print_sizes(follow(pack_workspace(built, target, run=run)))


def _print_sizes(sizes: Mapping[str, int]) -> None:
    table = Table("part", Column("size", justify="right"))
    for name, size in sizes.items():
        table.add_row(name, format_size(size))
    table.add_section()
    table.add_row("all", format_size(sum(sizes.values())))
    console.print(table)
