"""Reading a data set in the layout of CUB-200-2011, the full set or a subset with its ids.

Photos are not opened before `explorer.data.photo.load_photo`.
"""

import difflib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from explorer.config import ExplorerError
from explorer.data import cub_files, cub_tables
from explorer.data.bird_names import simplify_name, spell_name
from explorer.data.identical import Groups, label_contents
from explorer.data.photo import Photo


@dataclass(frozen=True, eq=False)
class CubDataset:
    """The photos and annotations of a CUB folder.

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
        Harmless irregularities: a sentence with a count for each kind.
    missing : frozenset[int]
        Ids of photos whose files are missing; a few may be (see `load_cub`). They are included in
        `photos`, so that the splits of the other photos do not change.
    photos_root : Path or None
        The CUB folder that the photos are in: `root`, or another one (see
        `explorer.data.photo_folders`). None if there are tables alone.
    identical : tuple of tuple of int
        Ids of photos whose files are identical, as far as they were looked for; see
        `explorer.data.identical`. Splits keep them on one side.
    """

    root: Path
    categories: tuple[str, ...]
    part_names: tuple[str, ...]
    photos: tuple[Photo, ...]
    warnings: tuple[str, ...]
    missing: frozenset[int] = frozenset()
    photos_root: Path | None = None
    identical: Groups = ()

    @property
    def has_photos(self) -> bool:
        """Whether there are photos at all, here or in another CUB folder."""
        return self.photos_root is not None

    @property
    def has_own_photos(self) -> bool:
        """Whether the photos are in the same folder as the tables."""
        return self.photos_root == self.root

    @cached_property
    def present(self) -> tuple[Photo, ...]:
        """The photos whose files existed when the tables were read; all if there are no photos."""
        return tuple(photo for photo in self.photos if photo.image_id not in self.missing)

    @cached_property
    def _by_id(self) -> dict[int, Photo]:
        return {photo.image_id: photo for photo in self.photos}

    @cached_property
    def _by_category(self) -> dict[str, tuple[Photo, ...]]:
        groups: dict[str, list[Photo]] = {category: [] for category in self.categories}
        for photo in self.photos:
            groups[photo.category].append(photo)
        return {category: tuple(photos) for category, photos in groups.items()}

    @cached_property
    def _indices_in_category(self) -> dict[int, int]:
        groups = self._by_category.values()
        return {photo.image_id: index for group in groups for index, photo in enumerate(group)}

    def get_index_in_category(self, photo: Photo) -> int:
        """Return the index of a photo in `photos_of` its category."""
        return self._indices_in_category[photo.image_id]

    def get_photo(self, image_id: int) -> Photo:
        """Return the photo with this id; `ExplorerError` if there is none."""
        try:
            return self._by_id[image_id]
        except KeyError:
            raise ExplorerError(
                f"There is no photo with id {image_id} in {self.root}: choose an id in images.txt."
            ) from None

    def label_contents(self, image_ids: Iterable[int]) -> NDArray[np.int64]:
        """Return a number for each photo, (M,), that only identical ones share."""
        return label_contents(image_ids, self.identical)

    def photos_of(self, category: str) -> tuple[Photo, ...]:
        """Return the photos of a category in the order of images.txt; see `find_category`.

        Raises
        ------
        ExplorerError
            When no category, or more than one, has this name.
        """
        if category not in self._by_category:
            category = self.find_category(category)
        return self._by_category[category]

    def find_category(self, text: str) -> str:
        """Return the category with a name, as it is spelt or as in ``classes.txt``.

        Case, hyphens, apostrophes, underscores and the number do not matter.

        Raises
        ------
        ExplorerError
            When no category, or more than one, has this name; the message lists similar ones.
        """
        if text in self.categories:
            return text
        wanted = simplify_name(text)
        found = [c for c in self.categories if simplify_name(c) == wanted] or [
            c
            for c in self.categories
            if wanted in (simplify_name(format_category(c)), simplify_name(_drop_number(c)))
        ]
        if len(found) == 1:
            return found[0]
        if found:
            raise ExplorerError(f"{text!r} can mean {', '.join(found)}: add the number.")
        nearest = self._list_nearest(wanted)
        cure = (
            f"did you mean {', '.join(nearest)}?" if nearest else "see classes.txt for the names."
        )
        raise ExplorerError(f"There is no category {text!r}: {cure}")

    def _list_nearest(self, wanted: str, limit: int = 5) -> list[str]:
        plain = {category: simplify_name(format_category(category)) for category in self.categories}
        containing = [c for c, name in plain.items() if wanted and wanted in name]
        close = difflib.get_close_matches(wanted, plain.values(), n=limit)
        similar = [c for name in close for c in self.categories if plain[c] == name]
        return list(dict.fromkeys(containing + similar))[:limit]


def format_category(category: str) -> str:
    """Return a category's plain name: ``"016.Painted_Bunting"`` gives ``"Painted Bunting"``."""
    return spell_name(_drop_number(category)) or category


def _drop_number(category: str) -> str:
    return re.sub(r"^\d+\.", "", category)


def load_cub(root: Path) -> CubDataset:
    """Read the annotations of a CUB folder and check them for consistency.

    Parameters
    ----------
    root : Path
        The folder with images.txt. It may lack the folder of photos, but not be without them in
        part (see below).

    Returns
    -------
    CubDataset
        Lines about images that are not in images.txt are ignored and counted in `warnings`. Up to a
        tenth of the photos may be missing.

    Raises
    ------
    DatasetError
        When files or lines are missing, malformed or inconsistent, or the path of a photo leads out
        of the folder of photos.
    """
    cub_files.check_layout(root)
    categories = cub_tables.read_categories(root)
    images = cub_tables.read_images(root)
    warnings: list[str] = []
    folder = root / cub_files.IMAGES
    has_photos = os.path.lexists(folder)
    if has_photos:
        paths, missing = cub_tables.find_photos(folder, images, warnings)
    else:
        paths, missing = [folder / name for name in images.names], ()
    part_names = cub_tables.read_part_names(root, len(images.names))
    category_rows = cub_tables.read_category_rows(root, images, categories, warnings)
    boxes = cub_tables.read_boxes(root, images, warnings)
    is_training = cub_tables.read_split(root, images, warnings)
    parts = cub_tables.read_parts(root, images, part_names, warnings)
    warnings += cub_tables.describe_irregularities(boxes, parts)
    visible = ~np.isnan(parts[:, :, 0])
    parts.setflags(write=False)
    visible.setflags(write=False)
    photos = tuple(
        Photo(
            image_id=int(images.ids[i]),
            path=path,
            category=categories.names[category_rows[i]],
            category_index=int(category_rows[i]),
            box=tuple(boxes[i].tolist()),
            parts=parts[i],
            visible=visible[i],
            is_training=bool(is_training[i]),
        )
        for i, path in enumerate(paths)
    )
    return CubDataset(
        root,
        categories.names,
        part_names.names,
        photos,
        tuple(warnings),
        missing=frozenset(int(images.ids[row]) for row in missing),
        photos_root=root if has_photos else None,
    )
