"""Results of the sanity checks, as files and as a table."""

from collections.abc import Sequence
from pathlib import Path

from explorer.analysis.table import Row, list_rows
from explorer.config import ExplorerError
from explorer.evaluation.records import Record
from explorer.evaluation.results import Results, load_rows, write_files
from explorer.evaluation.sections import SANITY_SECTION
from explorer.methods.registry import METHODS
from explorer.workspace.layout import SANITY_NAME

TRAINED = "trained"
CONDITIONS = {
    TRAINED: "",
    "random-weights": ", random weights",
    "random-labels": ", random labels",
}
"""Suffixes of method titles by network."""


def write_sanity(workspace: Path, records: Sequence[Record]) -> tuple[Path, Path]:
    """Write records to ``results/sanity.csv`` and, as a table, to ``results/sanity.md``."""
    if not records:
        raise ExplorerError("Nothing was compared.")
    named = (record | {"method": f"{record['method']}@{record['condition']}"} for record in records)
    return write_files(workspace, _format(list_rows(named)), SANITY_NAME)


def load_sanity(workspace: Path) -> Results | None:
    """Read the results of the sanity checks; None if they have not been run."""
    rows = load_rows(workspace, SANITY_NAME)
    return None if rows is None else _format(rows)


def _format(rows: Sequence[Row]) -> Results:
    methods = dict.fromkeys(row.method.partition("@")[0] for row in rows)
    titles = {
        f"{name}@{condition}": METHODS[name].title + words if name in METHODS else name + words
        for name in methods
        for condition, words in CONDITIONS.items()
    }
    return Results.from_rows(rows, (SANITY_SECTION,), titles)
