"""The text files of a CUB folder, read and held against each other before any photo is opened."""

import os
import re
import unicodedata
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath

import numpy as np
from numpy.typing import NDArray

from explorer.config import ExplorerError
from explorer.storage.reading import explain_os_error, is_inside, read_regular

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

TOLERATED_OVERHANG = 2.0
"""Pixels by which annotations may leave their surroundings without a word: CUB is rounded."""

TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that turn the direction of what follows them, beyond the end of a name."""

_UNSAFE_KINDS = ("Cc", "Cs", "Zl", "Zp")
_MOST_NAME_BYTES = 200
_MOST_MISSING = 0.1
_PART_SIGNS = " -_'’().,/"
_MOST_PART_LETTERS = 60
_MOST_PARTS = 2**26  # hundreds of times those of full CUB

CURE = "Correct it, or unpack the data set again."


class DatasetError(ExplorerError):
    """The data set is incomplete or damaged; names the file, the line and the cure."""


@dataclass(frozen=True, eq=False)
class _Rows:
    """A text file whose row r stands on line `lines[r]`, counted from 1."""

    path: Path
    lines: list[int]

    def explain(self, row: int, problem: str) -> DatasetError:
        return DatasetError(f"{self.path}, line {self.lines[row]}: {problem}. {CURE}")

    def refuse(self, is_bad: NDArray[np.bool_], problem: str) -> None:
        if is_bad.any():
            raise self.explain(int(is_bad.argmax()), problem)


@dataclass(frozen=True, eq=False)
class Names(_Rows):
    """A text file of ids, shape (N,), and names, such as images.txt."""

    ids: NDArray[np.int64]
    names: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Table(_Rows):
    values: NDArray[np.float64]

    def whole(self, column: int) -> NDArray[np.int64]:
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


def _read_texts(path: Path) -> tuple[_Rows, list[str]]:
    """Return the lines that hold anything, and where they stand."""
    try:
        data = read_regular(path)
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {explain_os_error(error)}. {CURE}") from error
    except UnicodeDecodeError as error:
        # Not `data`: the decoder counts from behind the byte order mark.
        line = error.object.count(b"\n", 0, error.start) + 1
        raise _Rows(path, [line]).explain(0, "the text is not UTF-8") from error
    numbered = [(n, line.strip()) for n, line in enumerate(text.split("\n"), 1) if line.strip()]
    if not numbered:
        raise DatasetError(f"{path} is empty. {CURE}")
    return _Rows(path, [n for n, _ in numbered]), [line for _, line in numbered]


def _read_table(path: Path, columns: int) -> _Table:
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
    return _Table(path, source.lines, np.array(rows))


def is_plain_line(text: str) -> bool:
    """Tell whether a name is free of control characters, line breaks and turns of direction."""
    return not any(unicodedata.category(c) in _UNSAFE_KINDS or c in TURNING for c in text)


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
    table.refuse(_find_repeats(table.ids), "the id appears twice")
    return table


def _find_repeats(keys: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return where a key stands that stood before."""
    is_repeat = np.ones(len(keys), dtype=np.bool_)
    is_repeat[np.unique(keys, return_index=True)[1]] = False
    return is_repeat


def _find_rows(
    ids: NDArray[np.int64], wanted: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the row in `ids` of each wanted id, and whether it is there at all."""
    order = np.argsort(ids)
    rows = order[np.minimum(np.searchsorted(ids, wanted, sorter=order), len(ids) - 1)]
    return rows, ids[rows] == wanted


def _match_images(table: _Table, images: Names, warnings: list[str]) -> NDArray[np.int64]:
    """Return the table's row for each image of images.txt."""
    ids = table.whole(0)
    table.refuse(_find_repeats(ids), "the image id appears twice")
    rows, is_there = _find_rows(ids, images.ids)
    missing = np.flatnonzero(~is_there).tolist()
    if missing:
        subject = f"image id {images.ids[missing[0]]}{_count_others(missing)}"
        raise images.explain(missing[0], f"{subject} has no line in {table.path.name}")
    _warn_of_strangers(table, len(ids) - len(images.ids), warnings)
    return rows


def _count_others(rows: list[int]) -> str:
    return f" (and {len(rows) - 1} more)" if len(rows) > 1 else ""


def read_categories(root: Path) -> Names:
    """Read classes.txt; each name is unique and fit for a folder of the workspace."""
    categories = read_names(root / "classes.txt")
    seen: dict[str, str] = {}
    for row, name in enumerate(categories.names):
        if "/" in name or "\\" in name or name in (".", ".."):
            raise categories.explain(row, f"{name!r} cannot name a folder")
        if len(name.encode()) > _MOST_NAME_BYTES:
            problem = (
                f"{name[:40]!r}… is longer than {_MOST_NAME_BYTES} bytes, too long for a folder"
            )
            raise categories.explain(row, problem)
        # Some file systems take these for one folder.
        folder = unicodedata.normalize("NFC", name).casefold()
        if folder in seen:
            other = seen[folder]
            problem = f"the category {name!r} appears twice"
            if other != name:
                problem = f"{name!r} and {other!r} would share a folder on some systems"
            raise categories.explain(row, problem)
        seen[folder] = name
    return categories


def read_part_names(root: Path, image_count: int) -> Names:
    """Read parts.txt; names are short words, and not more than fit into memory for all images."""
    parts = read_names(root / "parts/parts.txt")
    for row, name in enumerate(parts.names):
        strange = "".join(c for c in name if not c.isalnum() and c not in _PART_SIGNS)
        if strange or len(name) > _MOST_PART_LETTERS:
            raise parts.explain(row, f"{name[:80]!r} is no plain name of a part")
    if len(parts.names) * image_count > _MOST_PARTS:
        raise parts.explain(0, f"{len(parts.names):,} parts of {image_count:,} images are too many")
    return parts


def find_photos(
    folder: Path, images: Names, warnings: list[str]
) -> tuple[list[Path], tuple[int, ...]]:
    """Return each photo's path, and the rows of those that are not there.

    Raises
    ------
    DatasetError
        When a name or a link leads out of the folder, or more than one photo in ten is missing.
    """
    # One listing per folder, as a look at each file is slow.
    present: dict[str, set[str]] = defaultdict(set)
    missing = []
    for row, name in enumerate(images.names):
        # Windows' rules cover both kinds of slash and drive letters.
        pure = PureWindowsPath(name)
        if pure.anchor or ".." in pure.parts:
            raise images.explain(row, f"{name!r} leads out of the images folder")
        inner, _, file = name.rpartition("/")
        if inner not in present:
            if not is_inside(folder / inner, folder):
                raise images.explain(row, f"the folder {folder / inner} is a link that leads out")
            present[inner] = _list_files(folder / inner, folder)
        if file not in present[inner]:
            missing.append(row)
    paths = [folder / name for name in images.names]
    if missing:
        subject = f"the photo {paths[missing[0]]}{_count_others(missing)}"
        if len(missing) > len(paths) * _MOST_MISSING:
            raise images.explain(missing[0], f"{subject} is missing")
        verb = "is" if len(missing) == 1 else "are"
        warnings.append(f"{subject[0].upper()}{subject[1:]} {verb} missing.")
    return paths, tuple(missing)


def _list_files(inner: Path, folder: Path) -> set[str]:
    """List the files in a folder; links only where they stay within the folder of all photos."""
    try:
        with os.scandir(inner) as entries:
            return {
                entry.name
                for entry in entries
                if entry.is_file()
                and not (entry.is_symlink() and not is_inside(Path(entry), folder))
            }
    except OSError:
        return set()


def read_category_rows(
    root: Path, images: Names, categories: Names, warnings: list[str]
) -> NDArray[np.int64]:
    """Return (N,), each image's row in `categories`."""
    table = _read_table(root / "image_class_labels.txt", 2)
    rows = _match_images(table, images, warnings)
    category_rows, is_known = _find_rows(categories.ids, table.whole(1))
    # Lines about images outside a subset may well name classes outside it.
    is_wanted = np.isin(np.arange(len(is_known)), rows)
    table.refuse(is_wanted & ~is_known, "the class is not in classes.txt")
    wanted_rows = category_rows[rows]
    total = len(categories.names)
    one = f"of {total} categories has no photo."
    many = f"of {total} categories have no photo."
    warnings += _phrase(total - len(np.unique(wanted_rows)), one, many)
    return wanted_rows


def read_boxes(root: Path, images: Names, warnings: list[str]) -> NDArray[np.float64]:
    """Return (N, 4), (x, y, width, height), pixels, finite and with an area."""
    table = _read_table(root / "bounding_boxes.txt", 5)
    rows = _match_images(table, images, warnings)
    is_finite = np.all(np.isfinite(table.values), axis=1)
    table.refuse(~is_finite, "the box is not made of finite numbers")
    table.refuse(table.values[:, 3:].min(axis=1) <= 0, "the box has no area")
    return table.values[rows, 1:]


def read_split(root: Path, images: Names, warnings: list[str]) -> NDArray[np.bool_]:
    """Return (N,), whether each image is on the training side of the official split."""
    table = _read_table(root / "train_test_split.txt", 2)
    rows = _match_images(table, images, warnings)
    table.refuse(~np.isin(table.values[:, 1], (0, 1)), "the split must be 0 or 1")
    return np.asarray(table.values[rows, 1], dtype=np.bool_)


def read_parts(
    root: Path, images: Names, part_names: Names, warnings: list[str]
) -> NDArray[np.float64]:
    """Return (N, P, 2), (x, y), pixels, NaN where not visible."""
    table = _read_table(root / "parts/part_locs.txt", 5)
    ids = table.whole(0)
    image_rows, is_listed = _find_rows(images.ids, ids)
    part_rows, is_part = _find_rows(part_names.ids, table.whole(1))
    table.refuse(~is_part, "the part is not in parts.txt")
    table.refuse(~np.isin(table.values[:, 4], (0, 1)), "visible must be 0 or 1")
    is_visible = table.values[:, 4] == 1
    is_finite = np.all(np.isfinite(table.values[:, 2:4]), axis=1)
    table.refuse(is_visible & ~is_finite, "the part's place is not finite")
    shape = (len(images.names), len(part_names.names), 2)
    is_repeat = _find_repeats(ids * shape[1] + part_rows)
    table.refuse(is_listed & is_repeat, "the image's part appears twice")

    listed = int(is_listed.sum())
    _warn_of_strangers(table, len(is_listed) - listed, warnings)
    no_line = f"no line in {table.path.name}"
    one = f"part has {no_line} and counts as not visible."
    many = f"parts have {no_line} and count as not visible."
    warnings += _phrase(shape[0] * shape[1] - listed, one, many)
    parts = np.full(shape, np.nan)
    wanted = is_listed & is_visible
    parts[image_rows[wanted], part_rows[wanted]] = table.values[wanted, 2:4]
    return parts


def _warn_of_strangers(table: _Table, count: int, warnings: list[str]) -> None:
    name = table.path.name
    one = f"line of {name} is about an image that images.txt does not list."
    many = f"lines of {name} are about images that images.txt does not list."
    warnings += _phrase(count, one, many)


def describe_oddities(boxes: NDArray[np.float64], parts: NDArray[np.float64]) -> list[str]:
    """Return a sentence with a count for each oddity of N images and P parts that occurs.

    Parameters
    ----------
    boxes : NDArray[np.float64]
        Shape (N, 4), (x, y, width, height), pixels.
    parts : NDArray[np.float64]
        Shape (N, P, 2), (x, y), pixels, NaN where not visible.
    """
    bare = int(np.isnan(parts).all(axis=(1, 2)).sum())
    low = boxes[:, None, :2] - TOLERATED_OVERHANG
    high = boxes[:, None, :2] + boxes[:, None, 2:] + TOLERATED_OVERHANG
    far = int(((parts < low) | (parts > high)).any(axis=2).sum())
    return [
        *_phrase(bare, "photo has no visible part.", "photos have no visible part."),
        *_phrase(
            far,
            "visible part lies more than 2 px outside its bird's box.",
            "visible parts lie more than 2 px outside their birds' boxes.",
        ),
    ]


def _phrase(count: int, one: str, many: str) -> list[str]:
    return [f"{count} {one if count == 1 else many}"] if count else []
