"""Shows on a terminal, or in a log, how far a long computation is."""

import time
from collections.abc import Generator
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as ProgressBar

from explorer.config import Progress

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
