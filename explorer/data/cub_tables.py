"""The tables of a CUB folder, held against each other before any photo is opened."""

import os
import unicodedata
from collections import defaultdict
from pathlib import Path, PureWindowsPath

import numpy as np
from numpy.typing import NDArray

from explorer.data.cub_files import (
    Names,
    count_others,
    find_repeats,
    find_rows,
    match_images,
    phrase,
    read_names,
    read_table,
    warn_of_strangers,
)
from explorer.storage.reading import is_inside

TOLERATED_OVERHANG = 2.0
"""Pixels by which annotations may leave their surroundings without a word: CUB is rounded."""

_MOST_NAME_BYTES = 200
_MOST_MISSING = 0.1
_PART_SIGNS = " -_'’().,/"
_MOST_PART_LETTERS = 60
_MOST_PARTS = 2**26  # hundreds of times those of full CUB


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
        subject = f"the photo {paths[missing[0]]}{count_others(missing)}"
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
    table = read_table(root / "image_class_labels.txt", 2)
    rows = match_images(table, images, warnings)
    category_rows, is_known = find_rows(categories.ids, table.whole(1))
    # Lines about images outside a subset may well name classes outside it.
    is_wanted = np.isin(np.arange(len(is_known)), rows)
    table.refuse(is_wanted & ~is_known, "the class is not in classes.txt")
    wanted_rows = category_rows[rows]
    total = len(categories.names)
    one = f"of {total} categories has no photo."
    many = f"of {total} categories have no photo."
    warnings += phrase(total - len(np.unique(wanted_rows)), one, many)
    return wanted_rows


def read_boxes(root: Path, images: Names, warnings: list[str]) -> NDArray[np.float64]:
    """Return (N, 4), (x, y, width, height), pixels, finite and with an area."""
    table = read_table(root / "bounding_boxes.txt", 5)
    rows = match_images(table, images, warnings)
    is_finite = np.all(np.isfinite(table.values), axis=1)
    table.refuse(~is_finite, "the box is not made of finite numbers")
    table.refuse(table.values[:, 3:].min(axis=1) <= 0, "the box has no area")
    return table.values[rows, 1:]


def read_split(root: Path, images: Names, warnings: list[str]) -> NDArray[np.bool_]:
    """Return (N,), whether each image is on the training side of the official split."""
    table = read_table(root / "train_test_split.txt", 2)
    rows = match_images(table, images, warnings)
    table.refuse(~np.isin(table.values[:, 1], (0, 1)), "the split must be 0 or 1")
    return np.asarray(table.values[rows, 1], dtype=np.bool_)


def read_parts(
    root: Path, images: Names, part_names: Names, warnings: list[str]
) -> NDArray[np.float64]:
    """Return (N, P, 2), (x, y), pixels, NaN where not visible."""
    table = read_table(root / "parts/part_locs.txt", 5)
    ids = table.whole(0)
    image_rows, is_listed = find_rows(images.ids, ids)
    part_rows, is_part = find_rows(part_names.ids, table.whole(1))
    table.refuse(~is_part, "the part is not in parts.txt")
    table.refuse(~np.isin(table.values[:, 4], (0, 1)), "visible must be 0 or 1")
    is_visible = table.values[:, 4] == 1
    is_finite = np.all(np.isfinite(table.values[:, 2:4]), axis=1)
    table.refuse(is_visible & ~is_finite, "the part's place is not finite")
    shape = (len(images.names), len(part_names.names), 2)
    is_repeat = find_repeats(ids * shape[1] + part_rows)
    table.refuse(is_listed & is_repeat, "the image's part appears twice")

    listed = int(is_listed.sum())
    warn_of_strangers(table, len(is_listed) - listed, warnings)
    no_line = f"no line in {table.path.name}"
    one = f"part has {no_line} and counts as not visible."
    many = f"parts have {no_line} and count as not visible."
    warnings += phrase(shape[0] * shape[1] - listed, one, many)
    parts = np.full(shape, np.nan)
    wanted = is_listed & is_visible
    parts[image_rows[wanted], part_rows[wanted]] = table.values[wanted, 2:4]
    return parts


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
        *phrase(bare, "photo has no visible part.", "photos have no visible part."),
        *phrase(
            far,
            "visible part lies more than 2 px outside its bird's box.",
            "visible parts lie more than 2 px outside their birds' boxes.",
        ),
    ]
