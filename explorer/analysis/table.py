"""Tables of a comparison of methods, with means over categories and bootstrap intervals."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from explorer.analysis.estimates import Estimate, compute_estimate

Record = Mapping[str, Any]
Measured = tuple[str, str]
"""Names of a method and of a measure."""
_ARROWS = {"": "", "low": "↓", "high": "↑"}


@dataclass(frozen=True)
class Row:
    """One value of a record, as a row of a tidy table.

    Attributes
    ----------
    method, category, measure : str
        Names of the method, the category and the measure.
    seed : int
        Seed of the module and the split.
    value : float
        Value, in the unit of the measure.
    """

    method: str
    category: str
    seed: int
    measure: str
    value: float


def list_rows(records: Iterable[Record]) -> list[Row]:
    """Flatten records to one row per defined value, rounded to six significant digits."""
    return [
        Row(record["method"], record["category"], record["seed"], measure, float(f"{value:.6g}"))
        for record in records
        for measure, value in record["measures"].items()
        if value is not None
    ]


def average_seeds(rows: Iterable[Row]) -> dict[Measured, dict[str, float]]:
    """Average every measure of every method over seeds: means by category, in row order."""
    values: dict[Measured, dict[str, list[float]]] = {}
    for row in rows:
        found = values.setdefault((row.method, row.measure), {})
        found.setdefault(row.category, []).append(row.value)
    return {
        measured: {category: float(np.mean(own)) for category, own in found.items()}
        for measured, found in values.items()
    }


def summarise(averages: Mapping[Measured, Mapping[str, float]]) -> dict[Measured, Estimate]:
    """Estimate means over categories, from the output of `average_seeds`."""
    estimates = {one: compute_estimate(list(found.values())) for one, found in averages.items()}
    return {one: estimate for one, estimate in estimates.items() if estimate is not None}


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes
    ----------
    measure : str
        Name of the measure.
    title : str
        Heading.
    form : str
        Format specification.
    better : {"", "low", "high"}
        Which values are good, shown as an arrow; empty if neither.
    has_interval : bool
        Whether the mean is shown with its confidence interval.
    """

    measure: str
    title: str
    form: str = ".3f"
    better: Literal["", "low", "high"] = ""
    has_interval: bool = False

    @property
    def heading(self) -> str:
        """The title with an arrow in the direction of good values."""
        return f"{self.title} {_ARROWS[self.better]}".rstrip()


@dataclass(frozen=True)
class Section:
    """A group of columns that makes a table.

    Attributes
    ----------
    title : str
        Heading.
    columns : tuple of Column
        Columns, in order.
    caption : str
        Explanation of the columns, in Markdown.
    """

    title: str
    columns: tuple[Column, ...]
    caption: str


@dataclass(frozen=True)
class Cell:
    """A formatted mean.

    Attributes
    ----------
    text : str
        The mean; a dash if there is none.
    interval : str
        Its confidence interval; empty if it is not shown.
    value : float or None
        The mean as a number, to sort by.
    is_best : bool
        Whether it is the best of its column, is written like the best, or its confidence interval
        reaches the best.
    """

    text: str
    interval: str = ""
    value: float | None = None
    is_best: bool = False

    @property
    def markdown(self) -> str:
        """The cell in Markdown; the best are bold."""
        text = f"**{self.text}**" if self.is_best else self.text
        return f"{text} ({self.interval})" if self.interval else text


@dataclass(frozen=True)
class Line:
    """A line of a table: a method and its means, with the paper's figures among them."""

    title: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Table:
    """A formatted table.

    Attributes
    ----------
    section : Section
        The section that it shows.
    headings : tuple of str
        Headings of the columns, without that of the methods. The paper's figures stand in a column
        after the measured ones.
    lines : tuple of Line
        One per method.
    """

    section: Section
    headings: tuple[str, ...]
    lines: tuple[Line, ...]

    @property
    def text(self) -> str:
        """The table in Markdown."""
        lines = [
            f"| method | {' | '.join(self.headings)} |",
            "|:--|" + "--:|" * len(self.headings),
        ]
        lines += [
            f"| {line.title} | {' | '.join(cell.markdown for cell in line.cells)} |"
            for line in self.lines
        ]
        return "\n".join(lines)


def format_tables(
    estimates: Mapping[Measured, Estimate],
    titles: Mapping[str, str],
    paper: Mapping[Measured, float],
    sections: Sequence[Section],
) -> tuple[Table, ...]:
    """Format a table for each section that has values.

    Parameters
    ----------
    estimates : Mapping
        From `summarise`.
    titles : Mapping
        Titles by method, in the order of the tables. Methods without values are left out.
    paper : Mapping
        Figures in the paper's Table 1 by (method, measure).
    sections : sequence of Section
        Sections, in order.
    """
    tables = (_format_section(section, estimates, titles, paper) for section in sections)
    return tuple(table for table in tables if table.headings)


def format_markdown(tables: Iterable[Table]) -> str:
    """Join tables, each with its heading and its caption."""
    return "\n".join(
        f"**{table.section.title}**\n\n{table.text}\n\n{table.section.caption}\n"
        for table in tables
    )


def _format_section(
    section: Section,
    estimates: Mapping[Measured, Estimate],
    titles: Mapping[str, str],
    paper: Mapping[Measured, float],
) -> Table:
    """Return a table, without columns and lines if it has no values."""
    found = {
        column: {
            m: estimates[m, column.measure] for m in titles if (m, column.measure) in estimates
        }
        for column in section.columns
    }
    known = [method for method in titles if any(method in own for own in found.values())]
    columns: dict[str, list[Cell]] = {}
    for column, own in found.items():
        if not own:
            continue
        best = _find_best(column, own.values())
        columns[column.heading] = [_format_cell(column, own.get(m), best) for m in known]
        published = [paper.get((method, column.measure)) for method in known]
        if any(figure is not None for figure in published):
            columns[f"{column.title}, paper"] = [*map(_format_published, published)]
    cells = zip(*columns.values(), strict=True)
    lines = [Line(titles[m], own) for m, own in zip(known, cells, strict=True)] if columns else []
    return Table(section, tuple(columns), tuple(lines))


def _find_best(column: Column, estimates: Iterable[Estimate]) -> float | None:
    """Return the best mean of a column; None if no direction is good or there is one method."""
    means = [estimate.mean for estimate in estimates]
    if not column.better or len(means) < 2:
        return None
    return min(means) if column.better == "low" else max(means)


def _format_cell(column: Column, estimate: Estimate | None, best: float | None) -> Cell:
    if estimate is None:
        return Cell("–")
    interval = ""
    if column.has_interval and estimate.count > 1:
        low, high = (_write(value, column.form) for value in (estimate.low, estimate.high))
        interval = f"{low}–{high}"
    mean = _write(estimate.mean, column.form)
    is_best = best is not None and mean == _write(best, column.form)
    return Cell(mean, interval, estimate.mean, is_best or _reaches(estimate, best))


def _write(value: float, form: str) -> str:
    """Write a number with a true minus sign, and a zero without one."""
    return format(value, f"z{form}").replace("-", "−")


def _reaches(estimate: Estimate, best: float | None) -> bool:
    return best is not None and estimate.low <= best <= estimate.high


def _format_published(figure: float | None) -> Cell:
    return Cell("–") if figure is None else Cell(f"{figure:.4f}", value=figure)
