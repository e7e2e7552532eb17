"""Results of a comparison, as files and as tables."""

import csv
import io
import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from pathlib import Path

from explorer.analysis.estimates import Estimate
from explorer.analysis.table import (
    Measured,
    Record,
    Row,
    Section,
    Table,
    average_seeds,
    format_markdown,
    format_tables,
    list_rows,
    summarise,
)
from explorer.config import ExplorerError
from explorer.evaluation.findings import describe_verdict, list_findings
from explorer.evaluation.sections import list_sections
from explorer.methods.registry import METHODS, list_paper_figures
from explorer.storage.reading import explain_os_error, read_regular
from explorer.storage.text import is_plain_line
from explorer.storage.writing import write_text
from explorer.workspace.layout import RESULTS_FOLDER, RESULTS_NAME, check_inside

# Names of methods and measures, such as ``srae:beta=10:widths=256x64``, ``srae@random-labels``.
_NAME = re.compile(r"[\w:=.@+-]+")


@dataclass(frozen=True)
class Results:
    """Results of a finished comparison.

    Attributes
    ----------
    rows : tuple of Row
        All values.
    averages : Mapping
        Means over seeds by category, by (method, measure).
    estimates : Mapping
        Means over categories with their intervals, by (method, measure).
    findings : tuple of str
        Sentences that say what came out; see `list_findings`.
    tables : tuple of Table
        Means, with the paper's figures.
    titles : Mapping
        Titles by method, in the order of the tables.
    paper : Mapping
        The paper's figures by (method, measure).
    """

    rows: tuple[Row, ...]
    averages: Mapping[Measured, Mapping[str, float]]
    estimates: Mapping[Measured, Estimate]
    findings: tuple[str, ...]
    tables: tuple[Table, ...]
    titles: Mapping[str, str]
    paper: Mapping[Measured, float]

    @classmethod
    def from_rows(
        cls,
        rows: Sequence[Row],
        sections: Sequence[Section] | None = None,
        titles: Mapping[str, str] | None = None,
    ) -> "Results":
        """Format `rows`; by default in the tables of `list_sections`, with titles of `METHODS`."""
        if sections is None:
            sections = list_sections({row.measure for row in rows})
        if titles is None:
            titles = {method.name: method.title for method in METHODS.values()}
            titles |= {row.method: row.method for row in rows if row.method not in titles}
        paper = list_paper_figures()
        averages = average_seeds(rows)
        estimates = summarise(averages)
        return cls(
            rows=tuple(rows),
            averages=averages,
            estimates=estimates,
            findings=list_findings(estimates),
            tables=format_tables(estimates, titles, paper, sections),
            titles=dict(titles),
            paper=paper,
        )

    @property
    def tidy(self) -> str:
        """The rows as CSV."""
        text, columns = io.StringIO(), [field.name for field in fields(Row)]
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(map(attrgetter(*columns), self.rows))
        return text.getvalue()

    @property
    def verdict(self) -> str:
        """What came out, in two plain sentences; see `describe_verdict`."""
        return describe_verdict(self.estimates)

    @property
    def markdown(self) -> str:
        """What came out and all tables as Markdown, as written to a file."""
        tables = format_markdown(self.tables)
        sentences = " ".join(self.findings)
        return f"{sentences}\n\n{tables}" if sentences else tables


def write_results(
    workspace: Path, records: Sequence[Record], name: str = RESULTS_NAME
) -> tuple[Path, Path]:
    """Write records as a tidy CSV file, with one value per row, and as tables in Markdown.

    Returns
    -------
    tuple of Path
        ``results/<name>.csv`` and ``results/<name>.md`` of the workspace.
    """
    return write_files(workspace, Results.from_rows(list_rows(records)), name)


def write_files(workspace: Path, results: Results, name: str) -> tuple[Path, Path]:
    """Write results to two files with this name; return their paths."""
    if not re.fullmatch(r"[\w-]+", name):
        raise ExplorerError(
            f"{name!r} is not a valid name for results. Use letters, digits, - and _."
        )
    folder = workspace / RESULTS_FOLDER
    check_inside(workspace, folder)
    tidy, table = folder / f"{name}.csv", folder / f"{name}.md"
    write_text(tidy, results.tidy)
    write_text(table, results.markdown)
    return tidy, table


def load_results(workspace: Path) -> Results | None:
    """Read the results of the last comparison; None if there are none.

    Raises
    ------
    ExplorerError
        When the file is damaged.
    """
    rows = load_rows(workspace, RESULTS_NAME)
    return None if rows is None else Results.from_rows(rows)


def load_rows(workspace: Path, name: str) -> list[Row] | None:
    """Read the rows of ``results/<name>.csv``; None if it does not exist.

    Raises
    ------
    ExplorerError
        When the file is damaged.
    """
    file = workspace / RESULTS_FOLDER / f"{name}.csv"
    check_inside(workspace, file)
    if not os.path.lexists(file):
        return None
    try:
        text = read_regular(file).decode()
        rows = [_parse_row(row) for row in csv.DictReader(io.StringIO(text, newline=""))]
    except OSError as error:
        raise ExplorerError(f"{file} cannot be read: {explain_os_error(error)}.") from error
    except (ValueError, KeyError, TypeError, AttributeError, csv.Error) as error:
        raise ExplorerError(f"{file} is damaged ({error}). Run the comparison again.") from error
    if not rows:
        raise ExplorerError(f"{file} is damaged (it has no rows). Run the comparison again.")
    return rows


def _parse_row(fields: dict[str, str]) -> Row:
    seed, value = int(fields["seed"]), float(fields["value"])
    names = [fields[name] for name in ("method", "category", "measure")]
    method, category, measure = names
    if not (_NAME.fullmatch(method) and _NAME.fullmatch(measure) and is_plain_line(category)):
        raise ValueError(f"it has invalid names: {names!r:.120}")
    if not math.isfinite(value) or abs(seed) >= 2**63:
        raise ValueError(f"its value {fields['value']:.40} or seed {seed} is out of range")
    return Row(method, category, seed, measure, value)
