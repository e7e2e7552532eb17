"""Photos whose files are identical, which must be on the same side of every split.

Only whole files are compared. A copy that was saved again, scaled or cropped is another file.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from explorer.config import Progress, Steps
from explorer.data.cub_files import format_count
from explorer.data.photo import Photo
from explorer.storage.reading import hash_regular

Groups = tuple[tuple[int, ...], ...]
"""Ids of photos with identical files: two or more for each file, in ascending order."""

_STAGE = "Looking for identical photos"
_PHOTOS_PER_REPORT = 100


def find_identical(photos: Sequence[Photo]) -> Steps[Groups]:
    """Find the photos whose files are identical, by the hashes of all files of equal size.

    Parameters
    ----------
    photos : sequence of Photo
        Files that are empty or cannot be read are not compared.

    Yields
    ------
    Progress
        Regularly, in photos to be hashed.
    """
    by_size: dict[int, list[Photo]] = defaultdict(list)
    for photo in photos:
        try:
            by_size[photo.path.stat().st_size].append(photo)
        except OSError:
            continue
    by_size.pop(0, None)
    candidates = [photo for same in by_size.values() if len(same) > 1 for photo in same]
    by_content: dict[str, list[int]] = defaultdict(list)
    for done, photo in enumerate(candidates, start=1):
        try:
            by_content[hash_regular(photo.path)].append(photo.image_id)
        except OSError:
            continue
        if done % _PHOTOS_PER_REPORT == 0 or done == len(candidates):
            yield Progress(_STAGE, done, len(candidates))
    return tuple(sorted(tuple(sorted(ids)) for ids in by_content.values() if len(ids) > 1))


def label_contents(image_ids: Iterable[int], identical: Groups) -> NDArray[np.int64]:
    """Return a number for each photo that only photos with identical files share, (M,).

    It is the photo's own id, or that of the first photo of its group.
    """
    first = {image_id: group[0] for group in identical for image_id in group}
    return np.array([first.get(image_id, image_id) for image_id in image_ids], np.int64)


def describe_identical(photos: Iterable[Photo], identical: Groups) -> list[str]:
    """Return a sentence on identical photos, and one on those with different labels, if any."""
    if not identical:
        return []
    count = sum(map(len, identical))
    category_of = {photo.image_id: photo.category for photo in photos}
    unlike = [g for g in identical if len({category_of.get(image_id) for image_id in g}) > 1]
    sentence = (
        f"{count:,} photos have the same file as another one, such as those with "
        f"{_format_ids(identical[0])}."
    )
    if not unlike:
        return [sentence]
    example = f"such as the photos with {_format_ids(unlike[0])}. Only one label can be right."
    return [
        sentence,
        *format_count(
            len(unlike),
            f"file is labelled as several categories, {example}",
            f"files are labelled as several categories, {example}",
        ),
    ]


def _format_ids(group: Sequence[int]) -> str:
    return f"ids {group[0]} and {group[1]}"
