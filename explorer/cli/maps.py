"""The command ``maps``: drawing heatmaps in advance, so that pages do not need the network."""

from typing import Annotated

import typer

from explorer.cli.engines import Address, EngineName, EngineOption, Workers, choose_engine
from explorer.cli.options import Device, WorkspacePath, choose_categories
from explorer.cli.reporting import console, follow
from explorer.config import ExplorerError
from explorer.data.names import count_words
from explorer.engines.tasks import run_all
from explorer.maps.drawing import DrawingTask, count_drawn, draw_maps
from explorer.nn.explanation import DEFAULT_STOP
from explorer.workspace.workspace import Workspace


def maps(
    workspace: WorkspacePath,
    category: Annotated[
        list[str] | None, typer.Option(help="Such as 'painted bunting'; can be repeated.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All categories.")] = False,
    layer: Annotated[
        str, typer.Option(help="Where the maps are taken: relu1, pool1, …")
    ] = DEFAULT_STOP,
    engine: EngineOption = EngineName.LOCAL,
    address: Address = "",
    workers: Workers = 0,
    device: Device = "auto",
) -> None:
    """Draw the heatmaps of all photos of a category in advance, for all of its modules.

    Resumes an interrupted run: existing heatmaps are kept. The app can be used at the same time,
    and shows heatmaps as soon as they are finished.
    """
    chosen = choose_engine(engine, address, workers)
    opened = Workspace(workspace, device)
    wanted = choose_categories(opened, category or (), every, "--category NAME")
    entries = [entry for entry in opened.list_modules() if entry.category in wanted]
    if not entries:
        raise ExplorerError("There are no modules yet. Train some with `train`.")
    before = None
    if chosen is not None:
        before = count_drawn(opened, entries, layer)
        opened.networks.backbone.get_stop(layer)
        tasks = [DrawingTask(entry.category, entry.run, layer) for entry in entries]
        follow(run_all(opened, tasks, chosen, "Drawing heatmaps of modules", "Not drawn"))
    drawn = follow(draw_maps(opened, entries, layer))
    kept = drawn.kept if before is None else before
    count = drawn.drawn + drawn.kept - kept
    console.print(
        f"{count_words(len(entries), 'module')}, layer {layer}: "
        f"{count_words(count, 'photo')} drawn, "
        f"{kept:,} already drawn; {drawn.size / 1e6:,.2f} MB.",
        highlight=False,
    )
