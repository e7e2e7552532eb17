"""Tables of a comparison of methods, with means over categories and bootstrap intervals."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

Record = Mapping[str, Any]
_RESAMPLES = 2000
_ARROWS = {"": "", "low": "↓", "high": "↑"}


@dataclass(frozen=True)
class Estimate:
    """A mean over categories with a 95 % confidence interval.

    Attributes
    ----------
    mean, low, high : float
        The mean, and the 2.5th and 97.5th percentiles of means of resampled categories.
    count : int
        Number of categories with a value.
    """

    mean: float
    low: float
    high: float
    count: int


def compute_estimate(values: ArrayLike, seed: int = 0) -> Estimate | None:
    """Compute a mean and its percentile bootstrap interval.

    Parameters
    ----------
    values : array_like, shape (N,), float
        One value per category; finite.
    seed : int
        Seed of the resampling.

    Returns
    -------
    Estimate or None
        None without values.

    Notes
    -----
    Efron & Tibshirani, "An Introduction to the Bootstrap" (1993), section 13.3.
    """
    sample = np.asarray(values, float)
    if not sample.size:
        return None
    rng = np.random.default_rng(seed)
    means = rng.choice(sample, size=(_RESAMPLES, sample.size)).mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return Estimate(float(sample.mean()), float(low), float(high), sample.size)


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


def average_seeds(rows: Iterable[Row], method: str, measure: str) -> dict[str, float]:
    """Average a measure of a method over seeds; return values by category, in row order."""
    values: dict[str, list[float]] = {}
    for row in rows:
        if (row.method, row.measure) == (method, measure):
            values.setdefault(row.category, []).append(row.value)
    return {category: float(np.mean(found)) for category, found in values.items()}


def summarise(rows: Sequence[Row]) -> dict[tuple[str, str], Estimate]:
    """Average rows over seeds, then estimate means over categories.

    Returns
    -------
    dict
        Estimates by (method, measure).
    """
    estimates = {}
    for method, measure in dict.fromkeys((row.method, row.measure) for row in rows):
        estimate = compute_estimate(list(average_seeds(rows, method, measure).values()))
        if estimate is not None:
            estimates[method, measure] = estimate
    return estimates


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
class Table:
    """A formatted table.

    Attributes
    ----------
    section : Section
        The section that it shows.
    text : str
        Markdown, with one line per method and the paper's figures in brackets.
    """

    section: Section
    text: str


def format_tables(
    rows: Sequence[Row],
    titles: Mapping[str, str],
    paper: Mapping[tuple[str, str], float],
    sections: Sequence[Section],
) -> tuple[Table, ...]:
    """Format a table for each section that has values.

    Parameters
    ----------
    rows : sequence of Row
        From `list_rows`.
    titles : Mapping
        Titles by method, in the order of the tables. Methods without rows are left out.
    paper : Mapping
        Figures in the paper's Table 1 by (method, measure).
    sections : sequence of Section
        Sections, in order.
    """
    estimates = summarise(rows)
    formatted = [(part, _format_section(part, estimates, titles, paper)) for part in sections]
    return tuple(Table(part, "\n".join(lines)) for part, lines in formatted if lines)


def format_markdown(tables: Iterable[Table]) -> str:
    """Join tables, each with its heading and its caption."""
    return "\n".join(
        f"**{table.section.title}**\n\n{table.text}\n\n{table.section.caption}\n"
        for table in tables
    )


def _format_section(
    section: Section,
    estimates: Mapping[tuple[str, str], Estimate],
    titles: Mapping[str, str],
    paper: Mapping[tuple[str, str], float],
) -> list[str]:
    """Return the lines of a table; empty if it has no values."""
    columns = [c for c in section.columns if any(measure == c.measure for _, measure in estimates)]
    if not columns:
        return []
    lines = [
        "| method | " + " | ".join(column.heading for column in columns) + " |",
        "|:--|" + "--:|" * len(columns),
    ]
    for method, title in titles.items():
        if any((method, column.measure) in estimates for column in columns):
            cells = [_format_cell(method, column, estimates, paper) for column in columns]
            lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return lines


def _format_cell(
    method: str,
    column: Column,
    estimates: Mapping[tuple[str, str], Estimate],
    paper: Mapping[tuple[str, str], float],
) -> str:
    estimate = estimates.get((method, column.measure))
    if estimate is None:
        return "–"
    text = format(estimate.mean, column.form)
    if column.has_interval and estimate.count > 1:
        text += f" ({estimate.low:{column.form}}–{estimate.high:{column.form}})"
    published = paper.get((method, column.measure))
    return text if published is None else f"{text} [{published:.4f}]"
