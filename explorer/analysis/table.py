"""The comparison of methods as a table: means over categories, with bootstrap intervals."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

Record = Mapping[str, Any]
_RESAMPLES = 2000


@dataclass(frozen=True)
class Estimate:
    """A mean over categories with its 95 % interval.

    Attributes
    ----------
    mean, low, high : float
        The mean, and the 2.5th and 97.5th percentile of means of resampled categories.
    count : int
        Categories that have a value.
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
        One value a category; finite.
    seed : int
        Of the resampling.

    Returns
    -------
    Estimate or None
        None where there are no values.

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
    """One number of one record: what the tidy file holds.

    Attributes
    ----------
    method, category, measure : str
        What was measured on what.
    seed : int
        Of module and split.
    value : float
        In the measure's unit.
    """

    method: str
    category: str
    seed: int
    measure: str
    value: float


def list_rows(records: Iterable[Record]) -> list[Row]:
    """Flatten records to one row a number, six digits of it; what is not defined has no row."""
    return [
        Row(record["method"], record["category"], record["seed"], measure, float(f"{value:.6g}"))
        for record in records
        for measure, value in record["measures"].items()
        if value is not None
    ]


def average_seeds(rows: Iterable[Row], method: str, measure: str) -> dict[str, float]:
    """Average a method's measure over seeds: category to value, in the order of the rows."""
    values: dict[str, list[float]] = {}
    for row in rows:
        if (row.method, row.measure) == (method, measure):
            values.setdefault(row.category, []).append(row.value)
    return {category: float(np.mean(found)) for category, found in values.items()}


def summarise(rows: Sequence[Row]) -> dict[tuple[str, str], Estimate]:
    """Average rows over seeds, then estimate over categories.

    Returns
    -------
    dict
        (method, measure) to estimate.
    """
    estimates = {}
    for method, measure in dict.fromkeys((row.method, row.measure) for row in rows):
        estimate = compute_estimate(list(average_seeds(rows, method, measure).values()))
        if estimate is not None:
            estimates[method, measure] = estimate
    return estimates


@dataclass(frozen=True)
class Column:
    """A column of the printed table.

    Attributes
    ----------
    measure : str
        Name in the rows.
    title : str
        Heading.
    form : str
        Format specification of a number.
    """

    measure: str
    title: str
    form: str = ".3f"


@dataclass(frozen=True)
class Section:
    """Columns that belong together.

    Attributes
    ----------
    title : str
        Heading.
    columns : tuple of Column
        In order.
    caption : str
        What the columns mean, and what chance would give, in Markdown.
    """

    title: str
    columns: tuple[Column, ...]
    caption: str


@dataclass(frozen=True)
class Table:
    """One printed table.

    Attributes
    ----------
    section : Section
        What it shows.
    text : str
        Markdown, a method a line, the paper's figures in brackets.
    """

    section: Section
    text: str


def format_tables(
    rows: Sequence[Row],
    titles: Mapping[str, str],
    paper: Mapping[tuple[str, str], float],
    sections: Sequence[Section],
) -> tuple[Table, ...]:
    """Format a table for each section of which anything was measured.

    Parameters
    ----------
    rows : sequence of Row
        From `list_rows`.
    titles : Mapping
        Methods in the order of the tables, to their titles; those without rows are left out.
    paper : Mapping
        (method, measure) to the figure in the paper's Table 1.
    sections : sequence of Section
        In order.
    """
    estimates = summarise(rows)
    formatted = [(part, _format_section(part, estimates, titles, paper)) for part in sections]
    return tuple(Table(part, "\n".join(lines)) for part, lines in formatted if lines)


def format_markdown(tables: Iterable[Table]) -> str:
    """Put tables under each other, each with its heading and its caption."""
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
    """Return the lines of one table; none where nothing of it was measured."""
    columns = [c for c in section.columns if any(measure == c.measure for _, measure in estimates)]
    if not columns:
        return []
    lines = [
        "| method | " + " | ".join(column.title for column in columns) + " |",
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
    if column.measure == "locality" and estimate.count > 1:
        text += f" ({estimate.low:{column.form}}–{estimate.high:{column.form}})"
    published = paper.get((method, column.measure))
    return text if published is None else f"{text} [{published:.4f}]"
