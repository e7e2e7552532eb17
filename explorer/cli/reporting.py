"""Progress and results on the terminal: a bar for people, lines for logs."""

import time
from collections.abc import Generator
from typing import TypeVar

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as ProgressBar
from rich.table import Column, Table

from explorer.config import Progress
from explorer.workspace.workspace import Workspace

console = Console()
T = TypeVar("T")
_SECONDS_BETWEEN_LINES = 15.0


def follow(steps: Generator[Progress, None, T]) -> T:
    """Run `steps` to its end, showing how far it is, and return its result."""
    report = _report_as_bar if console.is_terminal else _report_as_lines
    return report(steps)


def _report_as_bar(steps: Generator[Progress, None, T]) -> T:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[values]}"),
    )
    with ProgressBar(*columns, console=console) as bar:
        stage, task = "", bar.add_task("Preparing", total=None, values="")
        while True:
            try:
                progress = next(steps)
            except StopIteration as stop:
                result: T = stop.value
                return result
            if progress.stage != stage:
                bar.remove_task(task)
                stage, task = progress.stage, bar.add_task(progress.stage, values="")
            values = _format_values(progress)
            bar.update(task, completed=progress.done, total=progress.total, values=values)


def _report_as_lines(steps: Generator[Progress, None, T]) -> T:
    """For logs: a line when a stage begins and ends, and now and then between."""
    stage, last_time = "", 0.0
    while True:
        try:
            progress = next(steps)
        except StopIteration as stop:
            result: T = stop.value
            return result
        is_due = time.monotonic() - last_time > _SECONDS_BETWEEN_LINES
        if progress.stage != stage or progress.done == progress.total or is_due:
            stage, last_time = progress.stage, time.monotonic()
            console.print(
                f"{stage}: {progress.done}/{progress.total}  {_format_values(progress)}",
                soft_wrap=True,
                highlight=False,
            )


def _format_values(progress: Progress) -> str:
    return "  ".join(f"{name} {value:.4g}" for name, value in progress.values.items())


def print_modules(workspace: Workspace) -> None:
    """Print the key figures of every module of `workspace` that has been measured."""
    table = Table(
        *(Column(name, overflow="fold") for name in ("category", "run")),
        *("F_reg train", "F_reg test", "of range", "locality", "live"),
    )
    for entry in workspace.list_modules():
        metrics = workspace.load_metrics(entry)
        if metrics is None:
            continue
        train, test = (metrics[part]["faithfulness"] for part in ("train", "test"))
        relative, locality = test["relative_f_reg"], metrics["locality"]["test"]["mean_locality"]
        table.add_row(
            escape(entry.category),
            escape(entry.run),
            f"{train['f_reg']:.4f}",
            f"{test['f_reg']:.4f}",
            "–" if relative is None else f"{relative:.2%}",
            "–" if locality is None else f"{locality:.3f}",
            f"{sum(metrics['live'])} of {len(metrics['live'])}",
        )
    console.print(table)
