"""Reading and checking the text files of a CUB folder: ids, names and numbers."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from explorer.config import ExplorerError
from explorer.storage.reading import (
    MAX_TEXT_BYTES,
    explain_os_error,
    name_packed,
    read_plain_or_packed,
)
from explorer.storage.text import is_plain_line

TABLES = (
    "images.txt",
    "classes.txt",
    "image_class_labels.txt",
    "bounding_boxes.txt",
    "train_test_split.txt",
    "parts/parts.txt",
    "parts/part_locs.txt",
)
"""The text files of a CUB folder that are read; each may be packed as ``NAME.gz``."""
IMAGES = "images"
"""The folder of photos, which a folder of tables alone does not have."""
ATTRIBUTES = "attributes"
"""The folder of attributes, which a CUB folder may lack."""
ATTRIBUTE_NAMES = "attributes.txt"
"""The names of attributes, in that folder; in the archive, beside the data set's own."""
CUB_FOLDER = "CUB_200_2011"
"""The name of the full data set's folder in its archive."""

MAX_ID_DIGITS = 15
"""Digits of an id, so that it is exact in every table."""

_MAX_QUOTE = 80
_MAX_BYTES = 2**29  # of a table; a million photos with fifteen parts have 315 MB of them

CURE = "Correct it, or unpack the data set again."


class DatasetError(ExplorerError):
    """A data set that is incomplete or damaged; the message names file, line and cure."""


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of a text file; row r is on line `lines[r]`, counted from 1."""

    path: Path
    lines: list[int]

    def make_error(self, row: int, problem: str) -> DatasetError:
        """Return an error about a row, which names its line."""
        return DatasetError(f"{self.path}, line {self.lines[row]}: {problem}. {CURE}")

    def check(self, is_valid: NDArray[np.bool_], problem: str) -> None:
        """Raise `DatasetError` for the first invalid row."""
        if not is_valid.all():
            raise self.make_error(int(is_valid.argmin()), problem)


@dataclass(frozen=True, eq=False)
class Names(Rows):
    """A text file of ids, (N,), and names, such as images.txt."""

    ids: NDArray[np.int64]
    names: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Table(Rows):
    """A text file of numbers, (N, columns)."""

    values: NDArray[np.float64]

    def get_integers(self, column: int) -> NDArray[np.int64]:
        """Return a column of non-negative integers; `DatasetError` if a value is not."""
        values = self.values[:, column]
        # From 2**53 on, neighbouring integers are the same float.
        is_whole = (values >= 0) & (values < 2**53) & (values == np.floor(values))
        self.check(is_whole, f"column {column + 1} must be a whole number")
        return values.astype(np.int64)


def check_layout(root: Path) -> None:
    """Raise `DatasetError` if `root` is not a folder with all of `TABLES`."""
    if not root.is_dir():
        raise DatasetError(f"There is no folder {root}. Name the folder that holds images.txt.")
    missing = [
        name
        for name in TABLES
        if not (root / name).exists() and not name_packed(root / name).exists()
    ]
    if missing:
        raise DatasetError(
            f"{root} is not a complete CUB folder: {', '.join(missing)} missing. "
            f"{_find_cure(root, is_other_folder=TABLES[0] in missing)}"
        )


def _find_cure(root: Path, *, is_other_folder: bool) -> str:
    if not is_other_folder:
        return "They are in the archive of CUB-200-2011; a data set of your own needs them too."
    inner = root / CUB_FOLDER
    return f"Use {inner}." if inner.is_dir() else f"Name the folder that holds {TABLES[0]}."


def _read_texts(path: Path) -> tuple[Rows, list[str]]:
    """Return the non-empty lines of a file, and their line numbers."""
    try:
        # A packed table may be a stranger's, and unpack to anything.
        data = read_plain_or_packed(path, _MAX_BYTES if path.exists() else MAX_TEXT_BYTES)
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {explain_os_error(error)}. {CURE}") from error
    except UnicodeDecodeError as error:
        # Not `data`, as the decoder counts from after the byte order mark.
        line = error.object.count(b"\n", 0, error.start) + 1
        raise Rows(path, [line]).make_error(0, "the text is not UTF-8") from error
    numbered = [(n, line.strip()) for n, line in enumerate(text.split("\n"), 1) if line.strip()]
    if not numbered:
        raise DatasetError(f"{path} is empty. {CURE}")
    return Rows(path, [n for n, _ in numbered]), [line for _, line in numbered]


def read_table(path: Path, columns: int) -> Table:
    """Read a file of numbers; `DatasetError` if a line is malformed."""
    source, texts = _read_texts(path)
    try:
        values = np.loadtxt(texts, np.float64, comments=None, ndmin=2)
    except ValueError:
        values = _parse_lines(source, texts, columns)
    if values.shape[1] != columns:
        values = _parse_lines(source, texts, columns)
    return Table(path, source.lines, values)


def _parse_lines(source: Rows, texts: list[str], columns: int) -> NDArray[np.float64]:
    """Parse each line by itself, several times slower, and name the one that is malformed."""
    rows = []
    for row, text in enumerate(texts):
        fields = text.split()
        if len(fields) != columns:
            problem = f"expected {columns} numbers, found {len(fields)} fields"
            raise source.make_error(row, problem)
        try:
            rows.append([float(field) for field in fields])
        except ValueError:
            raise source.make_error(row, f"{_quote(text)} is not a list of numbers") from None
    return np.array(rows)


def _quote(text: str) -> str:
    """Quote the beginning of a line, which may be a whole file without line breaks."""
    return repr(text) if len(text) <= _MAX_QUOTE else f"{text[:_MAX_QUOTE]!r}…"


def read_names(path: Path) -> Names:
    """Read a file of ids and names; `DatasetError` if a line is malformed or an id repeated."""
    source, texts = _read_texts(path)
    ids, names = [], []
    for row, text in enumerate(texts):
        found = re.fullmatch(rf"([0-9]{{1,{MAX_ID_DIGITS}}})[ \t]\s*(\S.*)", text)
        if not found:
            raise source.make_error(row, f"{_quote(text)} is not an id and a name")
        if not is_plain_line(found[2]):
            raise source.make_error(row, f"{_quote(text)} has control characters")
        ids.append(int(found[1]))
        names.append(found[2])
    table = Names(path, source.lines, np.array(ids, dtype=np.int64), tuple(names))
    table.check(~find_repeats(table.ids), "the id appears twice")
    return table


def find_repeats(keys: NDArray[np.int64] | NDArray[np.str_]) -> NDArray[np.bool_]:
    """Return whether each key has occurred before."""
    is_repeat = np.ones(len(keys), dtype=np.bool_)
    is_repeat[np.unique(keys, return_index=True)[1]] = False
    return is_repeat


def find_rows(
    ids: NDArray[np.int64], wanted: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the row in `ids` of each wanted id, and whether it has one."""
    order = np.argsort(ids)
    rows = order[np.minimum(np.searchsorted(ids, wanted, sorter=order), len(ids) - 1)]
    return rows, ids[rows] == wanted


def match_images(table: Table, images: Names, warnings: list[str]) -> NDArray[np.int64]:
    """Return the row of a table for each image in images.txt."""
    ids = table.get_integers(0)
    table.check(~find_repeats(ids), "the image id appears twice")
    rows, is_found = find_rows(ids, images.ids)
    missing = np.flatnonzero(~is_found).tolist()
    if missing:
        subject = f"image id {images.ids[missing[0]]}{count_others(missing)}"
        raise images.make_error(missing[0], f"{subject} has no line in {table.path.name}")
    warn_about_unlisted(table, len(ids) - len(images.ids), warnings)
    return rows


def count_others(rows: list[int]) -> str:
    """Return text for the number of other rows, such as " (and 2 more)"."""
    return f" (and {len(rows) - 1} more)" if len(rows) > 1 else ""


def warn_about_unlisted(table: Table, count: int, warnings: list[str]) -> None:
    """Add a warning about lines of a table for images that images.txt does not list."""
    name = table.path.name
    singular = f"line of {name} is about an image that images.txt does not list."
    plural = f"lines of {name} are about images that images.txt does not list."
    warnings += format_count(count, singular, plural)


def format_count(count: int, singular: str, plural: str) -> list[str]:
    """Return a list with a sentence that begins with the count; empty for zero."""
    return [f"{count:,} {singular if count == 1 else plural}"] if count else []
