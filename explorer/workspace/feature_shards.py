"""Shards of the features: consecutive rows that several processes can compute, each some of them.

A folder of shards holds ``<first row>.npz`` with ``z`` and ``logits`` of up to `SHARD_PHOTOS`
photos. A damaged shard counts as missing.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from explorer.data.photo import Photo
from explorer.nn.backbones.backbone import Backbone
from explorer.storage.packing import make_npz
from explorer.storage.reading import UNREADABLE_ARCHIVE, open_regular
from explorer.storage.writing import make_folder, write_bytes
from explorer.workspace.feature_batches import BATCH_SIZE, Rows, compute_batches

SHARD_PHOTOS = 2 * BATCH_SIZE
"""Photos per shard: whole batches, so that the network gets the same ones as in one process."""


def list_missing_shards(
    folder: Path, backbone: Backbone, photos: Sequence[Photo], first: int = 0
) -> list[int]:
    """List the first rows of all shards with rows from index `first` on that are to be computed."""
    return [
        first
        for first in range(_find_start(first), len(photos), SHARD_PHOTOS)
        if _load_shard(folder, first, len(photos), backbone) is None
    ]


def compute_shard(folder: Path, backbone: Backbone, photos: Sequence[Photo], first: int) -> None:
    """Compute the features of the photos from index `first` on that make a shard, and store them.

    Parameters
    ----------
    folder : Path
        The folder of shards, which is made if it does not exist.
    backbone : Backbone
        The classifier, on the device to use.
    photos : sequence of Photo
        All photos.
    first : int
        A multiple of `SHARD_PHOTOS`.
    """
    batches = compute_batches(backbone, photos[: first + SHARD_PHOTOS], first)
    z, logits = (np.concatenate(rows) for rows in zip(*batches, strict=True))
    make_folder(folder)
    write_bytes(_get_file(folder, first), make_npz({"z": z, "logits": logits}))


def read_or_compute_batches(
    folder: Path, backbone: Backbone, photos: Sequence[Photo], first: int
) -> Iterator[Rows]:
    """Take rows from index `first` onwards from shards, and compute those of missing shards."""
    if not folder.is_dir():
        yield from compute_batches(backbone, photos, first)
        return
    for start in range(_find_start(first), len(photos), SHARD_PHOTOS):
        shard, end = _load_shard(folder, start, len(photos), backbone), start + SHARD_PHOTOS
        if shard is None:
            yield from compute_batches(backbone, photos[:end], first)
        else:
            z, logits = (rows[first - start :] for rows in shard)
            yield z, logits
        first = end


def _find_start(row: int) -> int:
    """Return the first row of the shard that holds a row."""
    return row - row % SHARD_PHOTOS


def _get_file(folder: Path, first: int) -> Path:
    return folder / f"{first:08d}.npz"


def _load_shard(folder: Path, first: int, count: int, backbone: Backbone) -> Rows | None:
    """Read a shard of the features of `count` photos; None if it is missing or damaged."""
    try:
        with (
            open_regular(_get_file(folder, first)) as file,
            np.load(file, allow_pickle=False) as stored,
        ):
            z, logits = stored["z"], stored["logits"]
    except (*UNREADABLE_ARCHIVE, KeyError):
        return None
    rows = min(SHARD_PHOTOS, count - first)
    wanted = ((rows, backbone.z_size), (rows, len(backbone.categories)))
    if (z.shape, logits.shape) != wanted or not z.dtype == logits.dtype == np.float32:
        return None
    return z, logits
