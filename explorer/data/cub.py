"""Reader of the CUB-200-2011 folder layout, the full set or any subset that keeps its ids.

Coordinates are CUB's own, taken as continuous (see `explorer.data.transforms`): a photo of width W
spans [0, W]. No photo is opened before `load_photo`.
"""

import difflib
import io
import os
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PureWindowsPath

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from explorer.config import ExplorerError
from explorer.data.transforms import DECODING_ERRORS, Box, Size, clip_box, convert_to_rgb

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
PHOTO_FORMATS = ("JPEG", "PNG", "WEBP")

TOLERATED_OVERHANG = 2.0
"""Pixels by which annotations may leave the photo without a word: CUB is rounded in places."""

MAX_OUTSIDE_FRACTION = 0.25
"""Part of a box's area that may lie outside its photo. CUB holds real boxes that overhang by far
more than rounding explains (7 % of image 1218's); beyond a quarter, box and photo do not belong
together."""

_CURE = "Correct it, or unpack the data set again."


class DatasetError(ExplorerError):
    """The data set is incomplete or damaged; names the file, the line and the cure."""


@dataclass(frozen=True, eq=False)
class Photo:
    """One photo with its annotations.

    Attributes
    ----------
    image_id : int
        Id in images.txt.
    path : Path
        The picture.
    category : str
        As in classes.txt, such as ``"016.Painted_Bunting"``.
    category_index : int
        Position of the category in classes.txt, from 0.
    box : tuple[float, float, float, float]
        The bird's box (x, y, width, height), pixels, as annotated; it may overhang the photo
        (see `check_geometry`).
    parts : NDArray[np.float64]
        Shape (P, 2), (x, y), pixels, in the order of parts.txt; NaN where not visible. Read-only.
    visible : NDArray[np.bool_]
        Shape (P,). Read-only.
    is_training : bool
        Side of the official split.
    """

    image_id: int
    path: Path
    category: str
    category_index: int
    box: Box
    parts: NDArray[np.float64]
    visible: NDArray[np.bool_]
    is_training: bool

    @property
    def name(self) -> str:
        """The file's name without its ending."""
        return self.path.stem


@dataclass(frozen=True, eq=False)
class CubDataset:
    """All photos of a CUB folder.

    Attributes
    ----------
    root : Path
        The folder.
    categories : tuple[str, ...]
        In the order of classes.txt.
    part_names : tuple[str, ...]
        In the order of parts.txt.
    photos : tuple[Photo, ...]
        In the order of images.txt.
    warnings : tuple[str, ...]
        What is odd but usable: one sentence with a count for each kind.
    """

    root: Path
    categories: tuple[str, ...]
    part_names: tuple[str, ...]
    photos: tuple[Photo, ...]
    warnings: tuple[str, ...]

    @cached_property
    def _by_id(self) -> dict[int, Photo]:
        return {photo.image_id: photo for photo in self.photos}

    @cached_property
    def _by_category(self) -> dict[str, tuple[Photo, ...]]:
        groups: dict[str, list[Photo]] = {category: [] for category in self.categories}
        for photo in self.photos:
            groups[photo.category].append(photo)
        return {category: tuple(photos) for category, photos in groups.items()}

    def get_photo(self, image_id: int) -> Photo:
        """Return the photo with this id; raises `ExplorerError` where there is none."""
        try:
            return self._by_id[image_id]
        except KeyError:
            raise ExplorerError(
                f"There is no photo with id {image_id} in {self.root}: "
                "choose one of the ids in images.txt."
            ) from None

    def photos_of(self, category: str) -> tuple[Photo, ...]:
        """Return a category's photos in the order of images.txt; accepts what `find_category` does.

        Raises
        ------
        ExplorerError
            When no category, or more than one, goes by this name.
        """
        if category not in self._by_category:
            category = self.find_category(category)
        return self._by_category[category]

    def find_category(self, text: str) -> str:
        """Return the category that `text` names, with or without number, case and underscores.

        Raises
        ------
        ExplorerError
            When no category, or more than one, goes by this name; lists the nearest.
        """
        if text in self.categories:
            return text
        wanted = _simplify(text)
        found = [c for c in self.categories if _simplify(c) == wanted] or [
            c for c in self.categories if _simplify(format_category(c)) == wanted
        ]
        if len(found) == 1:
            return found[0]
        if found:
            raise ExplorerError(f"{text!r} can mean {', '.join(found)}: give the number as well.")
        nearest = self._list_nearest(wanted)
        cure = (
            f"did you mean {', '.join(nearest)}?" if nearest else "see classes.txt for the names."
        )
        raise ExplorerError(f"There is no category {text!r}: {cure}")

    def _list_nearest(self, wanted: str, limit: int = 5) -> list[str]:
        plain = {category: _simplify(format_category(category)) for category in self.categories}
        holding = [c for c, name in plain.items() if wanted and wanted in name]
        close = difflib.get_close_matches(wanted, plain.values(), n=limit)
        similar = [c for name in close for c in self.categories if plain[c] == name]
        return list(dict.fromkeys(holding + similar))[:limit]


def format_category(category: str) -> str:
    """Return a category's plain name: ``"016.Painted_Bunting"`` gives ``"Painted Bunting"``."""
    return re.sub(r"^\d+\.", "", category).replace("_", " ").strip() or category


def _simplify(text: str) -> str:
    return re.sub(r"[\W_]+", " ", text.casefold()).strip()


def load_cub(root: Path) -> CubDataset:
    """Read the annotations of a CUB folder and check that they and the photos fit together.

    Parameters
    ----------
    root : Path
        The folder that holds images.txt.

    Returns
    -------
    CubDataset
        Lines about images that images.txt does not list are left out and counted in `warnings`.

    Raises
    ------
    DatasetError
        When files or lines are missing, malformed or contradict each other.
    """
    _check_layout(root)
    categories = _read_names(root / "classes.txt")
    _check_category_names(categories)
    images = _read_names(root / "images.txt")
    paths = _check_photo_files(root, images)
    part_names = _read_names(root / "parts/parts.txt")
    warnings: list[str] = []

    category_rows = _read_category_rows(root, images, categories, warnings)
    boxes = _read_boxes(root, images, warnings)
    is_training = _read_split(root, images, warnings)
    parts = _read_parts(root / "parts/part_locs.txt", images, part_names, warnings)

    visible = ~np.isnan(parts[:, :, 0])
    parts.setflags(write=False)
    visible.setflags(write=False)
    warnings += _describe_oddities(boxes, parts, visible)
    empty = len(categories.names) - len(set(category_rows))
    if empty:
        warnings.append(f"{empty} of {len(categories.names)} categories have no photo.")
    photos = tuple(
        Photo(image_id, path, categories.names[row], row, tuple(box), points, seen, side)
        for image_id, path, row, box, points, seen, side in zip(
            images.ids.tolist(),
            paths,
            category_rows,
            boxes.tolist(),
            parts,
            visible,
            is_training.tolist(),
            strict=True,
        )
    )
    return CubDataset(root, categories.names, part_names.names, photos, tuple(warnings))


@dataclass(frozen=True, eq=False)
class PhotoGeometry:
    """Annotations held against the photo's real size.

    Attributes
    ----------
    box : tuple[float, float, float, float]
        (x, y, width, height), pixels, clipped to the photo.
    parts : NDArray[np.float64]
        Shape (P, 2), (x, y), pixels; those up to 2 px outside are clipped, others left as they are.
    box_overhang : float
        Pixels by which the annotated box left the photo, 0 or more.
    outside_parts : int
        Visible parts that lie more than 2 px outside.
    """

    box: Box
    parts: NDArray[np.float64]
    box_overhang: float
    outside_parts: int


def check_geometry(photo: Photo, image_size: Size) -> PhotoGeometry:
    """Clip a photo's annotations to its size and refuse a box that cannot belong to it.

    Raises
    ------
    DatasetError
        When more than a quarter of the box, and more than 2 px, lies outside the photo.
    """
    height, width = image_size
    x, y, box_width, box_height = photo.box
    box = clip_box(photo.box, image_size)
    overhang = max(-x, -y, x + box_width - width, y + box_height - height, 0.0)
    outside = 1 - box[2] * box[3] / (box_width * box_height)
    if outside >= 1 or (overhang > TOLERATED_OVERHANG and outside > MAX_OUTSIDE_FRACTION):
        raise DatasetError(
            f"bounding_boxes.txt, image id {photo.image_id}: the box {photo.box} lies outside "
            f"{photo.path} of {width} × {height} pixels. Photos and annotations must have the "
            "same scale: unpack the data set again."
        )
    edges = np.array([width, height], dtype=np.float64)
    clipped = np.clip(photo.parts, 0, edges)
    with np.errstate(invalid="ignore"):
        is_far = np.any(np.abs(photo.parts - clipped) > TOLERATED_OVERHANG, axis=1)
    parts = np.where(is_far[:, None], photo.parts, clipped)
    return PhotoGeometry(box, parts, overhang, int(is_far.sum()))


def load_photo(photo: Photo) -> NDArray[np.uint8]:
    """Decode a photo as RGB and check that its box fits it.

    A rotation in EXIF is not applied: boxes and parts count the pixels as they are stored, and
    turning the picture would tear them apart. (CUB's photos carry no rotation.)

    Parameters
    ----------
    photo : Photo
        JPEG, PNG or WebP; grey, CMYK and transparent pictures are converted.

    Returns
    -------
    NDArray[np.uint8]
        Shape (H, W, 3), RGB, 0 to 255.

    Raises
    ------
    DatasetError
        When the file is missing, damaged or cut short, or the box lies outside the picture.
    """
    try:
        data = photo.path.read_bytes()
        with Image.open(io.BytesIO(data), formats=PHOTO_FORMATS) as image:
            image.verify()
        # verify() leaves an image that can no longer be decoded.
        with Image.open(io.BytesIO(data), formats=PHOTO_FORMATS) as image:
            pixels = convert_to_rgb(image)
    except DECODING_ERRORS as error:
        raise DatasetError(f"{photo.path}: the photo cannot be read ({error}). {_CURE}") from error
    check_geometry(photo, (pixels.shape[0], pixels.shape[1]))
    return pixels


@dataclass(frozen=True, eq=False)
class _Table:
    """A text file of numbers with the line that each row came from."""

    path: Path
    values: NDArray[np.float64]
    lines: NDArray[np.int64]

    def refuse(self, is_bad: NDArray[np.bool_], problem: str) -> None:
        if is_bad.any():
            raise _make_line_error(self.path, int(self.lines[is_bad.argmax()]), problem)

    def whole(self, column: int) -> NDArray[np.int64]:
        values = self.values[:, column]
        # Beyond 2**53 a float no longer tells neighbouring ids apart.
        with np.errstate(invalid="ignore"):
            is_whole = (values >= 0) & (values < 2**53) & (values == np.floor(values))
        self.refuse(~is_whole, f"column {column + 1} must be a whole number")
        return values.astype(np.int64)


@dataclass(frozen=True, eq=False)
class _Names:
    """A text file of ids and names, such as images.txt."""

    path: Path
    ids: NDArray[np.int64]
    names: tuple[str, ...]
    lines: NDArray[np.int64]


def _make_line_error(path: Path, line: int, problem: str) -> DatasetError:
    return DatasetError(f"{path}, line {line}: {problem}. {_CURE}")


def _check_layout(root: Path) -> None:
    if not root.is_dir():
        raise DatasetError(f"There is no folder {root}: name the folder that holds images.txt.")
    missing = [name for name in LAYOUT if not (root / name).exists()]
    if missing:
        inner = root / "CUB_200_2011"
        cure = f"Use {inner}." if inner.is_dir() else "Name the folder that holds images.txt."
        raise DatasetError(f"{root} is no whole CUB folder, without {', '.join(missing)}. {cure}")


def _read_lines(path: Path) -> tuple[list[str], NDArray[np.int64]]:
    """Return the lines that hold anything, and their numbers from 1."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}. {_CURE}") from error
    try:
        lines = data.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _make_line_error(path, line, "the text is not UTF-8") from error
    numbers = np.array([n for n, line in enumerate(lines, 1) if line.strip()], dtype=np.int64)
    if not len(numbers):
        raise DatasetError(f"{path} is empty. {_CURE}")
    return [line for line in lines if line.strip()], numbers


def _read_table(path: Path, columns: int) -> _Table:
    texts, lines = _read_lines(path)
    try:
        values = np.loadtxt(texts, dtype=np.float64, comments=None, ndmin=2)
    except ValueError:
        values = np.empty((0, 0))
    if values.shape != (len(texts), columns):
        raise _explain_bad_table(path, texts, lines, columns)
    return _Table(path, values, lines)


def _explain_bad_table(
    path: Path, texts: Sequence[str], lines: NDArray[np.int64], columns: int
) -> DatasetError:
    for text, line in zip(texts, lines.tolist(), strict=True):
        found = len(text.split())
        if found != columns:
            return _make_line_error(path, line, f"expected {columns} numbers, found {found} fields")
        try:
            np.loadtxt([text], dtype=np.float64, comments=None)
        except ValueError:
            return _make_line_error(path, line, f"{text.strip()!r} is not made of numbers")
    return DatasetError(f"{path} is not a table of {columns} numbers a line. {_CURE}")


def _read_names(path: Path) -> _Names:
    texts, lines = _read_lines(path)
    ids, names = [], []
    for text, line in zip(texts, lines.tolist(), strict=True):
        number, _, name = text.strip().partition(" ")
        if not name.strip() or not re.fullmatch("[0-9]{1,15}", number):
            raise _make_line_error(path, line, f"{text.strip()!r} is not an id and a name")
        ids.append(int(number))
        names.append(name.strip())
    table = _Names(path, np.array(ids, dtype=np.int64), tuple(names), lines)
    _check_unique(path, table.ids, lines, "the id appears twice")
    return table


def _check_unique(
    path: Path, keys: NDArray[np.int64], lines: NDArray[np.int64], problem: str
) -> None:
    order = np.argsort(keys, kind="stable")
    repeats = order[1:][keys[order[1:]] == keys[order[:-1]]]
    if len(repeats):
        raise _make_line_error(path, int(lines[repeats.min()]), problem)


def _find_rows(
    ids: NDArray[np.int64], wanted: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the row in `ids` of each wanted id, and whether it is there at all."""
    order = np.argsort(ids)
    rows = order[np.minimum(np.searchsorted(ids, wanted, sorter=order), len(ids) - 1)]
    return rows, ids[rows] == wanted


def _match_images(table: _Table, images: _Names, warnings: list[str]) -> NDArray[np.int64]:
    """Return the table's row for each image of images.txt."""
    ids = table.whole(0)
    _check_unique(table.path, ids, table.lines, "the image id appears twice")
    rows, is_there = _find_rows(ids, images.ids)
    if not is_there.all():
        first = int(np.argmin(is_there))
        others = _count_others(int((~is_there).sum()) - 1)
        raise _make_line_error(
            images.path,
            int(images.lines[first]),
            f"image id {images.ids[first]}{others} has no line in {table.path.name}",
        )
    _warn_of_strangers(table, len(ids) - len(images.ids), warnings)
    return rows


def _count_others(count: int) -> str:
    return f" (and {count} more)" if count else ""


def _warn_of_strangers(table: _Table, count: int, warnings: list[str]) -> None:
    if count:
        warnings.append(
            f"{count} lines of {table.path.name} are about images that images.txt does not list."
        )


def _check_category_names(categories: _Names) -> None:
    seen: set[str] = set()
    for name, line in zip(categories.names, categories.lines.tolist(), strict=True):
        # A category also names a folder of the workspace.
        if "/" in name or "\\" in name or name in (".", ".."):
            raise _make_line_error(categories.path, line, f"{name!r} cannot name a folder")
        if name in seen:
            raise _make_line_error(categories.path, line, f"the category {name!r} appears twice")
        seen.add(name)


def _check_photo_files(root: Path, images: _Names) -> list[Path]:
    """Return each photo's path; one listing per folder, as a look at each file is slow."""
    rows_of_folder: dict[str, list[int]] = defaultdict(list)
    for row, name in enumerate(images.names):
        # Windows' rules cover both kinds of slash and drive letters.
        pure = PureWindowsPath(name)
        if pure.anchor or ".." in pure.parts:
            raise _make_line_error(
                images.path, int(images.lines[row]), f"{name!r} leads out of the images folder"
            )
        rows_of_folder[name.rpartition("/")[0]].append(row)
    folder = root / "images"
    missing: list[int] = []
    for name, rows in rows_of_folder.items():
        present = _list_files(folder / name)
        missing += [row for row in rows if images.names[row].rpartition("/")[2] not in present]
    if missing:
        first = min(missing)
        raise _make_line_error(
            images.path,
            int(images.lines[first]),
            f"the photo {folder / images.names[first]}{_count_others(len(missing) - 1)} is missing",
        )
    return [folder / name for name in images.names]


def _list_files(folder: Path) -> set[str]:
    try:
        with os.scandir(folder) as entries:
            return {entry.name for entry in entries if entry.is_file()}
    except OSError:
        return set()


def _read_category_rows(
    root: Path, images: _Names, categories: _Names, warnings: list[str]
) -> list[int]:
    table = _read_table(root / "image_class_labels.txt", 2)
    rows = _match_images(table, images, warnings)
    category_rows, is_known = _find_rows(categories.ids, table.whole(1))
    # Lines about images outside a subset may well name classes outside it.
    is_wanted = np.isin(np.arange(len(is_known)), rows)
    table.refuse(is_wanted & ~is_known, "the class is not in classes.txt")
    return [int(row) for row in category_rows[rows]]


def _read_boxes(root: Path, images: _Names, warnings: list[str]) -> NDArray[np.float64]:
    """Return (N, 4), (x, y, width, height), in the order of images.txt."""
    table = _read_table(root / "bounding_boxes.txt", 5)
    rows = _match_images(table, images, warnings)
    is_finite = np.all(np.isfinite(table.values), axis=1)
    table.refuse(~is_finite, "the box is not made of finite numbers")
    table.refuse(table.values[:, 3:].min(axis=1) <= 0, "the box has no area")
    return table.values[rows, 1:]


def _read_split(root: Path, images: _Names, warnings: list[str]) -> NDArray[np.bool_]:
    table = _read_table(root / "train_test_split.txt", 2)
    rows = _match_images(table, images, warnings)
    table.refuse(~np.isin(table.values[:, 1], (0, 1)), "the split must be 0 or 1")
    return np.isin(table.values[rows, 1], 1)


def _read_parts(
    path: Path, images: _Names, part_names: _Names, warnings: list[str]
) -> NDArray[np.float64]:
    """Return (N, P, 2), in the order of images.txt and parts.txt, NaN where not visible."""
    table = _read_table(path, 5)
    image_rows, is_listed = _find_rows(images.ids, table.whole(0))
    part_rows, is_part = _find_rows(part_names.ids, table.whole(1))
    table.refuse(~is_part, "the part is not in parts.txt")
    is_visible = table.values[:, 4] == 1
    table.refuse(~np.isin(table.values[:, 4], (0, 1)), "visible must be 0 or 1")
    is_finite = np.all(np.isfinite(table.values[:, 2:4]), axis=1)
    table.refuse(is_visible & ~is_finite, "the part's place is not finite")
    count = len(part_names.names)
    keys = image_rows * count + part_rows
    _check_unique(path, keys[is_listed], table.lines[is_listed], "the image's part appears twice")
    _warn_of_strangers(table, int((~is_listed).sum()), warnings)
    absent = len(images.ids) * count - int(is_listed.sum())
    if absent:
        warnings.append(f"{absent} parts have no line in {path.name} and count as not visible.")
    parts = np.full((len(images.ids) * count, 2), np.nan)
    wanted = is_listed & is_visible
    parts[keys[wanted]] = table.values[wanted, 2:4]
    return parts.reshape(len(images.ids), count, 2)


def _describe_oddities(
    boxes: NDArray[np.float64], parts: NDArray[np.float64], visible: NDArray[np.bool_]
) -> list[str]:
    low = boxes[:, None, :2] - TOLERATED_OVERHANG
    high = boxes[:, None, :2] + boxes[:, None, 2:] + TOLERATED_OVERHANG
    counts = {
        "photos have no visible part": int((~visible.any(axis=1)).sum()),
        "visible parts lie more than 2 px outside their bird's box": int(
            ((parts < low) | (parts > high)).any(axis=2).sum()
        ),
    }
    return [f"{count} {what}." for what, count in counts.items() if count]
