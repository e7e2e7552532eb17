"""Photos for a data set that has the tables alone: from the user's own copy of CUB.

A copy may be named by ``CUB_ROOT``, lie where `explorer.data.fetching.cub` puts it, or be named in
the app, which is remembered for the user. It must hold all photos of the tables, under the same
ids and names, in the same categories and on the same side of the split; it may hold more, and at
another size, since boxes and parts are then taken from it.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from explorer.config import CUB_ROOT_VARIABLE
from explorer.data import cub_files, cub_tables
from explorer.data.cub import CubDataset, load_cub
from explorer.data.cub_files import CUB_FOLDER, DatasetError
from explorer.data.photo import Photo
from explorer.storage.json_records import FileError, read_json, write_json
from explorer.storage.user_folders import get_cache_folder, get_state_folder

_REMEMBERED = "photos.json"
_KEY = "folder"


def list_photo_folders() -> tuple[Path, ...]:
    """List where a copy of CUB may be, the preferred one first; they may not exist."""
    return tuple(dict.fromkeys(_list_named()))


def _list_named() -> Iterator[Path]:
    named = os.environ.get(CUB_ROOT_VARIABLE)
    if named:
        yield Path(named).absolute()
    yield get_cache_folder() / CUB_FOLDER
    try:
        remembered = read_json(get_state_folder() / _REMEMBERED).get(_KEY)
    except FileError:  # nothing has been remembered
        return
    if isinstance(remembered, str) and remembered:
        yield Path(remembered).absolute()


def remember_photo_folder(folder: Path) -> None:
    """Remember a copy of CUB for this user, in place of an earlier one."""
    write_json(get_state_folder() / _REMEMBERED, {_KEY: str(folder.absolute())})


def stamp_photo_folders() -> tuple[tuple[str, int], ...]:
    """Return what changes when a copy of CUB appears, disappears or is named."""
    return tuple((str(folder), _read_time(folder)) for folder in list_photo_folders())


def _read_time(folder: Path) -> int:
    try:
        return (folder / cub_files.IMAGES).stat().st_mtime_ns
    except OSError:
        return 0


def find_photos_elsewhere(tables: CubDataset) -> CubDataset:
    """Return the data set with photos from the first fitting folder; unchanged if none fits."""
    for folder in list_photo_folders():
        try:
            return use_photos_of(tables, folder)
        except DatasetError:  # `list_refused_folders` tells why
            continue
    return tables


def list_refused_folders(tables: CubDataset) -> Mapping[Path, str]:
    """Return the folders that exist but do not fit, each with the reason."""
    refused = {}
    for folder in filter(Path.is_dir, list_photo_folders()):
        try:
            use_photos_of(tables, folder)
        except DatasetError as error:
            refused[folder] = str(error)
    return refused


def use_photos_of(tables: CubDataset, folder: Path) -> CubDataset:
    """Return the data set of `tables` with the photos, boxes and parts of a CUB folder.

    Raises
    ------
    DatasetError
        When the folder is not a complete CUB folder, or lacks a photo of the tables.
    """
    cub_files.check_layout(folder)
    # Before all tables are read and checked: another subset is common, and quickly told.
    names = cub_tables.read_images(folder)
    listed = dict(zip(names.ids.tolist(), names.names, strict=True))
    lacking = [p for p in tables.photos if _get_file(listed.get(p.image_id, "")) != p.path.name]
    if lacking:
        raise DatasetError(
            f"{folder} lacks {len(lacking):,} of {len(tables.photos):,} photos, such as "
            f"{lacking[0].path.name} with id {lacking[0].image_id}. Name the folder of the whole "
            "data set."
        )
    found = load_cub(folder)
    if not found.has_photos:
        raise DatasetError(f"{folder} has no folder of photos. Name one that has.")
    missing = [photo for photo in tables.photos if photo.image_id in found.missing]
    if missing:
        raise DatasetError(
            f"The files of {len(missing):,} photos are missing in {folder}, such as "
            f"{missing[0].path.name}. Unpack the data set again."
        )
    if found.part_names != tables.part_names:
        raise DatasetError(f"{folder} has other parts of a bird. Name a folder of the same set.")
    photos = tuple(_replace(photo, found) for photo in tables.photos)
    return replace(tables, photos=photos, photos_root=folder)


def _get_file(name: str) -> str:
    return name.rpartition("/")[2]


def _replace(photo: Photo, found: CubDataset) -> Photo:
    """Take what belongs to the pixels from another copy of a photo."""
    other = found.get_photo(photo.image_id)
    if (other.category, other.is_training) != (photo.category, photo.is_training):
        raise DatasetError(
            f"{found.root} has the photo with id {photo.image_id} in another category or on "
            "another side of the split. Name a folder of the same data set."
        )
    return replace(photo, path=other.path, box=other.box, parts=other.parts, visible=other.visible)
