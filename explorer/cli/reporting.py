"""Progress and results on the terminal: a progress bar, or lines when writing to a log."""

import time
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from operator import attrgetter
from typing import NamedTuple

from rich.box import SIMPLE
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

from explorer.analysis.estimates import compute_estimate
from explorer.config import ExplorerError, Progress, Steps, T, run
from explorer.data.cub import format_category
from explorer.engines.tasks import Engine, describe_failures, run_tasks
from explorer.measuring.module import MeasuringTask, measure_module
from explorer.measuring.records import ModuleMeasures, load_module_measures
from explorer.measuring.summaries import compute_mean_outside
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace

console = Console()
_SECONDS_BETWEEN_LINES = 15.0
_SECONDS_FOR_PACE = 300.0


def follow(steps: Steps[T]) -> T:
    """Run `steps` to completion while showing progress, and return the result."""
    report = _report_as_bar if console.is_terminal else _report_as_lines
    return report(steps)


def _report_as_bar(steps: Steps[T]) -> T:
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

        def show(progress: Progress) -> None:
            nonlocal stage, task
            if progress.stage != stage:
                bar.remove_task(task)
                stage, task = progress.stage, bar.add_task(progress.stage, values="")
            values = _format_values(progress)
            bar.update(task, completed=progress.done, total=progress.total, values=values)

        return run(steps, show)


def _report_as_lines(steps: Steps[T]) -> T:
    """Print a line at the start and end of each stage, and at intervals in between."""
    stage, last_time = "", 0.0
    bar = ProgressBar(  # never shown
        disable=True, get_time=time.monotonic, speed_estimate_period=_SECONDS_FOR_PACE
    )
    task = bar.add_task("")

    def show(progress: Progress) -> None:
        nonlocal stage, last_time, task
        is_new = progress.stage != stage
        if is_new:
            stage, task = progress.stage, bar.add_task(progress.stage)
        bar.update(task, completed=progress.done, total=progress.total)
        is_due = time.monotonic() - last_time > _SECONDS_BETWEEN_LINES
        if is_new or progress.done == progress.total or is_due:
            last_time = time.monotonic()
            left = bar.tasks[-1].time_remaining
            console.print(
                f"{stage}: {progress.done}/{progress.total}  {_format_values(progress)}"
                + (f"  {timedelta(seconds=left)} left" if left else ""),
                soft_wrap=True,
                highlight=False,
            )

    return run(steps, show)


def _format_values(progress: Progress) -> str:
    values = [f"{name} {value:.4g}" for name, value in progress.values.items()]
    return "  ".join([progress.detail, *values] if progress.detail else values)


class _Figure(NamedTuple):
    """A column of the table of modules: its heading, how it is written, its value and the most."""

    heading: str
    form: str
    read: Callable[[ModuleMeasures], float | None]
    most: Callable[[ModuleMeasures], int] | None = None

    def write(self, measures: ModuleMeasures) -> str:
        """Write the value of a module."""
        text = _format_or_dash(self.read(measures), self.form)
        return text if self.most is None else f"{text} of {self.most(measures)}"

    def summarise(self, measured: Iterable[ModuleMeasures]) -> list[str]:
        """Write the `_SUMMARY` over the modules that have a value."""
        values = [value for one in measured if (value := self.read(one)) is not None]
        mean = compute_estimate(values)
        if mean is None:
            return [_format_or_dash(None, self.form)] * len(_SUMMARY)
        numbers = (mean.mean, mean.low, mean.high, min(values), max(values))
        return [format(number, self.form) for number in numbers]


_SUMMARY = ("mean of {:,} modules", "its 95% interval from", "to", "least", "most")


_SCORES = (
    _Figure("F_reg train", ".4f", attrgetter("train.faithfulness.f_reg")),
    _Figure("F_reg test", ".4f", attrgetter("test.faithfulness.f_reg")),
    _Figure("of range", ".2%", attrgetter("test.faithfulness.relative_f_reg")),
    _Figure("locality", ".3f", attrgetter("locality.test.mean_locality")),
    _Figure("live", ".3g", lambda found: sum(found.live), lambda found: len(found.live)),
)
_CONCEPTS = (
    _Figure("weighted locality", ".3f", attrgetter("concepts.weighted_locality")),
    _Figure("effective number", ".2f", attrgetter("concepts.effective_number")),
    _Figure("top share", ".0%", attrgetter("concepts.top_share")),
    _Figure("overlap", ".3f", attrgetter("concepts.overlap")),
    _Figure("outside box", ".0%", lambda one: compute_mean_outside(one.locality.test, one.live)),
)


def print_modules(workspace: Workspace) -> None:
    """Print the key figures of every measured module of `workspace`, and their means."""
    pairs = [(entry, load_module_measures(workspace, entry)) for entry in workspace.list_modules()]
    measured = [(entry, found) for entry, found in pairs if found is not None]
    with_concepts = [(entry, found) for entry, found in measured if found.concepts is not None]
    _print_figures(_SCORES, measured)
    if with_concepts:
        _print_figures(_CONCEPTS, with_concepts)


def _print_figures(
    figures: Sequence[_Figure], measured: Sequence[tuple[ModuleEntry, ModuleMeasures]]
) -> None:
    table = _make_table(*(figure.heading for figure in figures))
    for entry, measures in measured:
        table.add_row(
            f"{escape(format_category(entry.category))}\n[dim]{escape(entry.run)}[/dim]",
            *(figure.write(measures) for figure in figures),
        )
    if len(measured) > 1:
        table.add_section()
        found = [measures for _, measures in measured]
        columns = [figure.summarise(found) for figure in figures]
        for title, *numbers in zip(_SUMMARY, *columns, strict=True):
            table.add_row(title.format(len(found)), *numbers)
    console.print(table)


def _make_table(*figures: str) -> Table:
    """Make a table that breaks names before it loses a digit where the terminal is narrow."""
    module = Column("module", overflow="fold")
    numbers = (
        Column(figure.replace(" ", "\n"), justify="right", no_wrap=True) for figure in figures
    )
    return Table(module, *numbers, box=SIMPLE, padding=(0, 0, 0, 1))


def _format_or_dash(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)


def measure_all(
    workspace: Workspace, entries: Sequence[ModuleEntry], engine: Engine | None = None
) -> list[str]:
    """Measure modules; return error messages for those that could not be measured.

    Without an engine, they are measured here, with the progress of each.
    """
    if engine is not None:
        tasks = [MeasuringTask(entry.category, entry.run) for entry in entries]
        outcomes = follow(run_tasks(workspace, tasks, engine, "Measuring modules"))
        failed = describe_failures(outcomes.failed)
        return [f"Not measured:\n{failed}"] if failed else []
    failures = []
    for entry in entries:
        console.print(entry.title, markup=False, highlight=False)
        try:
            follow(measure_module(workspace, entry))
        except ExplorerError as error:  # the others are still measured
            failures.append(str(error))
    return ["Not measured:", *failures] if failures else []
