"""Reading the tables of a CUB folder, and checking them against each other."""

import os
import re
import unicodedata
from collections import defaultdict
from dataclasses import replace
from pathlib import Path, PureWindowsPath

import numpy as np
from numpy.typing import NDArray

from explorer.data.cub_files import (
    Names,
    count_others,
    find_repeats,
    find_rows,
    format_count,
    match_images,
    read_names,
    read_table,
    warn_about_unlisted,
)
from explorer.storage.reading import is_inside

TOLERATED_OVERHANG = 2.0
"""Pixels by which annotations may be outside the photo or the box, as CUB's are rounded."""

_MAX_NAME_BYTES = 200
_MAX_MISSING_SHARE = 0.1
_PART_PUNCTUATION = " -_'’().,/"
_MAX_PART_NAME_LENGTH = 60
_USUAL_PATH = re.compile(r"(?:[\w-][\w.-]*/)*[\w-][\w.-]*")  # relative, in normal form
_MAX_PARTS = 2**26  # over all images; hundreds of times as many as in the full CUB


def read_categories(root: Path) -> Names:
    """Read classes.txt; names must be unique and valid folder names."""
    categories = read_names(root / "classes.txt")
    seen: dict[str, str] = {}
    for row, name in enumerate(categories.names):
        if "/" in name or "\\" in name or name in (".", ".."):
            raise categories.make_error(row, f"{name!r} cannot be the name of a folder")
        if len(name.encode()) > _MAX_NAME_BYTES:
            problem = (
                f"{name[:40]!r}… is longer than {_MAX_NAME_BYTES} bytes, too long for a folder"
            )
            raise categories.make_error(row, problem)
        # Some file systems treat these as the same folder.
        folder = unicodedata.normalize("NFC", name).casefold()
        if folder in seen:
            other = seen[folder]
            problem = f"the category {name!r} appears twice"
            if other != name:
                problem = f"{name!r} and {other!r} would be the same folder on some systems"
            raise categories.make_error(row, problem)
        seen[folder] = name
    return categories


def read_part_names(root: Path, image_count: int) -> Names:
    """Read parts.txt; names must be unique, short words, and not too many for memory."""
    parts = read_names(root / "parts/parts.txt")
    parts.check(~find_repeats(np.array(parts.names)), "the name of the part appears twice")
    for row, name in enumerate(parts.names):
        invalid = "".join(c for c in name if not c.isalnum() and c not in _PART_PUNCTUATION)
        if invalid or len(name) > _MAX_PART_NAME_LENGTH:
            raise parts.make_error(row, f"{name[:80]!r} is not a valid name of a part")
    if len(parts.names) * image_count > _MAX_PARTS:
        raise parts.make_error(
            0, f"{len(parts.names):,} parts of {image_count:,} images are too many"
        )
    return parts


def read_images(root: Path) -> Names:
    """Read images.txt; paths get ``/`` as separator, must be unique and stay in the folder."""
    images = read_names(root / "images.txt")
    paths = []
    for row, name in enumerate(images.names):
        if _USUAL_PATH.fullmatch(name):  # faster, where there are a million
            paths.append(name)
            continue
        # Windows paths cover both kinds of slashes and drive letters.
        pure = PureWindowsPath(name)
        if pure.anchor or ".." in pure.parts:
            raise images.make_error(row, f"{name!r} leads out of the images folder")
        paths.append(pure.as_posix())
    images.check(~find_repeats(np.array(paths)), "the photo appears twice")
    return replace(images, names=tuple(paths))


def find_photos(
    folder: Path, images: Names, warnings: list[str]
) -> tuple[list[Path], tuple[int, ...]]:
    """Return the path of each photo, and the rows of missing photos.

    Raises
    ------
    DatasetError
        When a link leads out of the folder, or more than a tenth of the photos are missing.
    """
    paths = [folder / name for name in images.names]
    # Listing folders is faster than checking each file.
    present: dict[str, set[str]] = defaultdict(set)
    missing = []
    for row, name in enumerate(images.names):
        inner, _, file = name.rpartition("/")
        if inner not in present:
            if not is_inside(folder / inner, folder):
                raise images.make_error(
                    row, f"the folder {folder / inner} is a link that leads out"
                )
            present[inner] = _list_files(folder / inner, folder)
        if file not in present[inner]:
            missing.append(row)
    if missing:
        subject = f"the photo {paths[missing[0]]}{count_others(missing)}"
        if len(missing) > len(paths) * _MAX_MISSING_SHARE:
            raise images.make_error(missing[0], f"{subject} is missing")
        verb = "is" if len(missing) == 1 else "are"
        warnings.append(f"{subject[0].upper()}{subject[1:]} {verb} missing.")
    return paths, tuple(missing)


def _list_files(inner: Path, folder: Path) -> set[str]:
    """List the files in a folder, including links within the folder of all photos."""
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
    """Return the row of each image in `categories`, (N,)."""
    table = read_table(root / "image_class_labels.txt", 2)
    rows = match_images(table, images, warnings)
    category_rows, is_known = find_rows(categories.ids, table.get_integers(1))
    # Lines about images outside a subset may have classes outside it.
    is_wanted = np.isin(np.arange(len(is_known)), rows)
    table.check(is_known | ~is_wanted, "the class is not in classes.txt")
    wanted_rows = category_rows[rows]
    total = len(categories.names)
    singular = f"of {total} categories has no photo."
    plural = f"of {total} categories have no photo."
    warnings += format_count(total - len(np.unique(wanted_rows)), singular, plural)
    warnings += _describe_contradictions(images, categories, wanted_rows)
    return wanted_rows


def _describe_contradictions(
    images: Names, categories: Names, category_rows: NDArray[np.int64]
) -> list[str]:
    """Count the photos that are in the folder of another category than that of their label."""
    known = set(categories.names)
    labels = [categories.names[row] for row in category_rows.tolist()]
    # Folders that are not named after categories say nothing about labels.
    wrong = [
        (name, label)
        for name, label in zip(images.names, labels, strict=True)
        if (folders := known.intersection(name.split("/")[:-1])) and label not in folders
    ]
    if not wrong:
        return []
    name, label = wrong[0]
    example = f"such as {name}, which image_class_labels.txt labels {label}."
    return format_count(
        len(wrong),
        f"photo is in the folder of another category than its label, {example}",
        f"photos are in the folders of other categories than their labels, {example}",
    )


def read_boxes(root: Path, images: Names, warnings: list[str]) -> NDArray[np.float64]:
    """Return boxes (x, y, width, height), (N, 4), pixels, finite and with positive area."""
    table = read_table(root / "bounding_boxes.txt", 5)
    rows = match_images(table, images, warnings)
    is_finite = np.all(np.isfinite(table.values), axis=1)
    table.check(is_finite, "the box has numbers that are not finite")
    table.check(table.values[:, 3:].min(axis=1) > 0, "the box has no area")
    return table.values[rows, 1:]


def read_split(root: Path, images: Names, warnings: list[str]) -> NDArray[np.bool_]:
    """Return whether each image is a training image of the official split, (N,)."""
    table = read_table(root / "train_test_split.txt", 2)
    rows = match_images(table, images, warnings)
    table.check(np.isin(table.values[:, 1], (0, 1)), "the split must be 0 or 1")
    return np.asarray(table.values[rows, 1], dtype=np.bool_)


def read_parts(
    root: Path, images: Names, part_names: Names, warnings: list[str]
) -> NDArray[np.float64]:
    """Return part points (x, y), (N, P, 2), pixels, NaN if not visible."""
    table = read_table(root / "parts/part_locs.txt", 5)
    ids = table.get_integers(0)
    image_rows, is_listed = find_rows(images.ids, ids)
    part_rows, is_part = find_rows(part_names.ids, table.get_integers(1))
    table.check(is_part, "the part is not in parts.txt")
    table.check(np.isin(table.values[:, 4], (0, 1)), "visible must be 0 or 1")
    is_visible = table.values[:, 4] == 1
    is_finite = np.all(np.isfinite(table.values[:, 2:4]), axis=1)
    table.check(is_finite | ~is_visible, "the part's position is not finite")
    shape = (len(images.names), len(part_names.names), 2)
    is_repeat = find_repeats(ids * shape[1] + part_rows)
    table.check(~(is_listed & is_repeat), "the image's part appears twice")

    listed = int(is_listed.sum())
    warn_about_unlisted(table, len(is_listed) - listed, warnings)
    no_line = f"no line in {table.path.name}"
    singular = f"part has {no_line} and counts as not visible."
    plural = f"parts have {no_line} and count as not visible."
    warnings += format_count(shape[0] * shape[1] - listed, singular, plural)
    parts = np.full(shape, np.nan)
    wanted = is_listed & is_visible
    parts[image_rows[wanted], part_rows[wanted]] = table.values[wanted, 2:4]
    return parts


def describe_irregularities(boxes: NDArray[np.float64], parts: NDArray[np.float64]) -> list[str]:
    """Return a sentence with a count for each kind of irregularity that occurs.

    Parameters
    ----------
    boxes : NDArray[np.float64]
        Shape (N, 4), (x, y, width, height), pixels.
    parts : NDArray[np.float64]
        Shape (N, P, 2), (x, y), pixels, NaN if not visible.
    """
    without_parts = int(np.isnan(parts).all(axis=(1, 2)).sum())
    low = boxes[:, None, :2] - TOLERATED_OVERHANG
    high = boxes[:, None, :2] + boxes[:, None, 2:] + TOLERATED_OVERHANG
    outside = int(((parts < low) | (parts > high)).any(axis=2).sum())
    return [
        *format_count(without_parts, "photo has no visible part.", "photos have no visible part."),
        *format_count(
            outside,
            "visible part is more than 2 px outside its bird's box.",
            "visible parts are more than 2 px outside their birds' boxes.",
        ),
    ]
