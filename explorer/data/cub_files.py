"""The text files of a CUB folder as ids, names and numbers, line by line checked."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from explorer.config import ExplorerError
from explorer.storage.reading import explain_os_error, read_regular
from explorer.storage.text import is_plain_line

LAYOUT = (
    "images.txt",
    "classes.txt",
    "image_class_labels.txt",
    "bounding_boxes.txt",
    "train_test_split.txt",
    "parts/parts.txt",
    "parts/part_locs.txt",
    "images",
)

CURE = "Correct it, or unpack the data set again."


class DatasetError(ExplorerError):
    """The data set is incomplete or damaged; names the file, the line and the cure."""


@dataclass(frozen=True, eq=False)
class Rows:
    """A text file whose row r stands on line `lines[r]`, counted from 1."""

    path: Path
    lines: list[int]

    def explain(self, row: int, problem: str) -> DatasetError:
        """Return an error that names the line of a row."""
        return DatasetError(f"{self.path}, line {self.lines[row]}: {problem}. {CURE}")

    def refuse(self, is_bad: NDArray[np.bool_], problem: str) -> None:
        """Raise `DatasetError` for the first row that is bad."""
        if is_bad.any():
            raise self.explain(int(is_bad.argmax()), problem)


@dataclass(frozen=True, eq=False)
class Names(Rows):
    """A text file of ids, shape (N,), and names, such as images.txt."""

    ids: NDArray[np.int64]
    names: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Table(Rows):
    """A text file of numbers, shape (N, columns)."""

    values: NDArray[np.float64]

    def whole(self, column: int) -> NDArray[np.int64]:
        """Return a column of whole numbers; `DatasetError` where one is not."""
        values = self.values[:, column]
        # Beyond 2**53 a float no longer tells neighbouring ids apart.
        is_whole = (values >= 0) & (values < 2**53) & (values == np.floor(values))
        self.refuse(~is_whole, f"column {column + 1} must be a whole number")
        return values.astype(np.int64)


def check_layout(root: Path) -> None:
    """Raise `DatasetError` when `root` is not a folder with all of `LAYOUT`."""
    if not root.is_dir():
        raise DatasetError(f"There is no folder {root}: name the folder that holds images.txt.")
    missing = [name for name in LAYOUT if not (root / name).exists()]
    if missing:
        inner = root / "CUB_200_2011"
        cure = f"Use {inner}." if inner.is_dir() else "Name the folder that holds images.txt."
        raise DatasetError(f"{root} is no whole CUB folder, without {', '.join(missing)}. {cure}")


def _read_texts(path: Path) -> tuple[Rows, list[str]]:
    """Return the lines that hold anything, and where they stand."""
    try:
        data = read_regular(path)
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {explain_os_error(error)}. {CURE}") from error
    except UnicodeDecodeError as error:
        # Not `data`: the decoder counts from behind the byte order mark.
        line = error.object.count(b"\n", 0, error.start) + 1
        raise Rows(path, [line]).explain(0, "the text is not UTF-8") from error
    numbered = [(n, line.strip()) for n, line in enumerate(text.split("\n"), 1) if line.strip()]
    if not numbered:
        raise DatasetError(f"{path} is empty. {CURE}")
    return Rows(path, [n for n, _ in numbered]), [line for _, line in numbered]


def read_table(path: Path, columns: int) -> Table:
    """Read a file of numbers; `DatasetError` names the line that is malformed."""
    source, texts = _read_texts(path)
    rows = []
    for row, text in enumerate(texts):
        fields = text.split()
        if len(fields) != columns:
            problem = f"expected {columns} numbers, found {len(fields)} fields"
            raise source.explain(row, problem)
        try:
            rows.append([float(field) for field in fields])
        except ValueError:
            raise source.explain(row, f"{text!r} is not made of numbers") from None
    return Table(path, source.lines, np.array(rows))


def read_names(path: Path) -> Names:
    """Read a file of ids and names; `DatasetError` names the line that is malformed or repeated."""
    source, texts = _read_texts(path)
    ids, names = [], []
    for row, text in enumerate(texts):
        found = re.fullmatch(r"([0-9]{1,15}) \s*(\S.*)", text)
        if not found:
            raise source.explain(row, f"{text!r} is not an id and a name")
        if not is_plain_line(text):
            raise source.explain(row, f"{text!r} holds control characters")
        ids.append(int(found[1]))
        names.append(found[2])
    table = Names(path, source.lines, np.array(ids, dtype=np.int64), tuple(names))
    table.refuse(find_repeats(table.ids), "the id appears twice")
    return table


def find_repeats(keys: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return where a key stands that stood before."""
    is_repeat = np.ones(len(keys), dtype=np.bool_)
    is_repeat[np.unique(keys, return_index=True)[1]] = False
    return is_repeat


def find_rows(
    ids: NDArray[np.int64], wanted: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the row in `ids` of each wanted id, and whether it is there at all."""
    order = np.argsort(ids)
    rows = order[np.minimum(np.searchsorted(ids, wanted, sorter=order), len(ids) - 1)]
    return rows, ids[rows] == wanted


def match_images(table: Table, images: Names, warnings: list[str]) -> NDArray[np.int64]:
    """Return the table's row for each image of images.txt."""
    ids = table.whole(0)
    table.refuse(find_repeats(ids), "the image id appears twice")
    rows, is_there = find_rows(ids, images.ids)
    missing = np.flatnonzero(~is_there).tolist()
    if missing:
        subject = f"image id {images.ids[missing[0]]}{count_others(missing)}"
        raise images.explain(missing[0], f"{subject} has no line in {table.path.name}")
    warn_of_strangers(table, len(ids) - len(images.ids), warnings)
    return rows


def count_others(rows: list[int]) -> str:
    """Say how many more there are than the one that is named."""
    return f" (and {len(rows) - 1} more)" if len(rows) > 1 else ""


def warn_of_strangers(table: Table, count: int, warnings: list[str]) -> None:
    """Add a warning where a table speaks of images that images.txt does not list."""
    name = table.path.name
    one = f"line of {name} is about an image that images.txt does not list."
    many = f"lines of {name} are about images that images.txt does not list."
    warnings += phrase(count, one, many)


def phrase(count: int, one: str, many: str) -> list[str]:
    """Return a sentence that begins with a number, in singular or plural; none for zero."""
    return [f"{count} {one if count == 1 else many}"] if count else []
