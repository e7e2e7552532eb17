"""Z and logits of every photo, computed once and kept on disk.

``features/<key>/`` holds ``z.npy`` and ``logits.npy``, with a row per photo, and ``done.json`` with
their checksums, which marks the cache as complete. While they are being computed they are kept in
``features/.<key>.tmp/``, where ``note.json`` records the number of rows and their checksums after
every batch. The process that computes them holds ``features/.lock``.

Several processes, on several machines, can compute shards of them first, in
``features/.<key>.shards/``. The process with the lock takes their rows instead of computing these
again, and removes them.
"""

import hashlib
import itertools
import json
import zlib
from collections.abc import Generator, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from explorer.config import ExplorerError, Progress
from explorer.data.photo import Photo
from explorer.nn.backbones.backbone import Backbone
from explorer.storage.growing import GrowingArray, map_array, open_rows
from explorer.storage.json_records import FileError, convert_record, read_json
from explorer.storage.locks import acquire_lock
from explorer.storage.writing import (
    make_folder,
    move,
    remove,
    sync_file,
    try_to_remove,
    write_text,
)
from explorer.workspace.feature_batches import Rows, compute_batches
from explorer.workspace.feature_shards import read_or_compute_batches
from explorer.workspace.features import Features

STAGE = "Passing photos through the network"
"""What `Progress` calls the computation of features."""
_FORMAT = 1
_NAMES = ("z", "logits")
_DONE_FILE = "done.json"
_NOTE_FILE = "note.json"
LOCK_FILE = ".lock"
_MAX_BYTES_IN_MEMORY = 2**30


@dataclass(frozen=True)
class Checksums:
    """CRC-32 of all rows of ``z.npy`` and of ``logits.npy``."""

    z: int
    logits: int


@dataclass(frozen=True)
class _Note:
    """How many rows of an incomplete cache have been written, and their checksums."""

    rows: int = 0
    z: int = 0
    logits: int = 0

    def add(self, z: NDArray[np.float32], logits: NDArray[np.float32]) -> "_Note":
        return _Note(
            self.rows + len(z),
            zlib.crc32(z.tobytes(), self.z),
            zlib.crc32(logits.tobytes(), self.logits),
        )


def load_or_compute_features(
    folder: Path, backbone: Backbone, photos: Sequence[Photo], *, with_sizes: bool = True
) -> Generator[Progress, None, Features]:
    """Read the cached features of `photos`; compute and store them first if necessary.

    The name of the cache is a hash of the weights, the layer and the list of photos, so a change
    of any of them creates a new cache. A computation that was interrupted continues after its last
    complete batch, and the result is the same to the byte. If several processes need the features,
    one computes them and the others wait. A damaged cache is computed again.

    Parameters
    ----------
    folder : Path
        The workspace's ``features/``.
    backbone : Backbone
        The classifier, on the device to use.
    photos : sequence of Photo
        Not empty.
    with_sizes : bool
        See `compute_features_key`.

    Yields
    ------
    Progress
        One per computed batch, or regularly while another process computes; none if the cache is
        complete.

    Returns
    -------
    Features
        Memory-mapped, read-only.
    """
    key = compute_features_key(backbone, photos, with_sizes=with_sizes)
    cache, incomplete = folder / key, _get_incomplete(folder, key)
    image_ids = np.array([photo.image_id for photo in photos], dtype=np.int64)
    arrays = load_arrays(cache, len(photos), backbone)
    if arrays is None:
        lock = yield from acquire_lock(
            folder / LOCK_FILE,
            lambda: Progress(STAGE, min(_read_note(incomplete).rows, len(photos)), len(photos)),
        )
        try:
            # Another process may have completed it in the meantime.
            if load_arrays(cache, len(photos), backbone) is None:
                shards = get_shards_folder(folder, key)
                _remove_stale(folder, cache, incomplete, shards)
                yield from _write_features(incomplete, shards, backbone, photos)
                _publish(incomplete, cache)
                try_to_remove(shards)
        finally:
            lock.release()
        arrays = load_arrays(cache, len(photos), backbone)
    if arrays is None:
        raise ExplorerError(f"{cache} was damaged while it was being written. Try again.")
    return Features(image_ids, *arrays)


def load_or_compute_in_memory(
    folder: Path, backbone: Backbone, photos: Sequence[Photo], *, with_sizes: bool = True
) -> Generator[Progress, None, Features]:
    """Read the cached features of `photos`, or compute them without writing anything.

    Parameters
    ----------
    folder, backbone, photos, with_sizes
        As in `load_or_compute_features`.

    Yields
    ------
    Progress
        One per computed batch.

    Raises
    ------
    ExplorerError
        When they are not cached and are too large to be kept in memory.
    """
    cache = folder / compute_features_key(backbone, photos, with_sizes=with_sizes)
    arrays = load_arrays(cache, len(photos), backbone)
    if arrays is None:
        width = backbone.z_size + len(backbone.categories)
        if 4 * width * len(photos) > _MAX_BYTES_IN_MEMORY:
            raise ExplorerError(
                f"{folder} does not hold the features of all {len(photos):,} photos, and they "
                "cannot be stored here. Compute them where the workspace can be written to, with "
                f"`python -m explorer evaluate {folder.parent}`."
            )
        parts = []
        for part in compute_batches(backbone, photos, 0):
            parts.append(part)
            yield Progress(STAGE, sum(len(z) for z, _ in parts), len(photos))
        z, logits = (np.concatenate(rows) for rows in zip(*parts, strict=True))
        arrays = z, logits
    return Features(np.array([photo.image_id for photo in photos], dtype=np.int64), *arrays)


def get_shards_folder(folder: Path, key: str) -> Path:
    """Return where shards of the cache called `key` are."""
    return folder / f".{key}.shards"


def count_written_rows(folder: Path, key: str) -> int:
    """Count the rows that an interrupted computation of the cache called `key` has written."""
    return _read_note(_get_incomplete(folder, key)).rows


def _get_incomplete(folder: Path, key: str) -> Path:
    return folder / f".{key}.tmp"


def _remove_stale(folder: Path, cache: Path, *current: Path) -> None:
    """Remove a damaged cache and incomplete caches of other networks or photos; needs the lock."""
    for path in (cache, *folder.glob(".*.tmp"), *folder.glob(".*.shards")):
        if path not in current:
            try_to_remove(path)


def load_arrays(cache: Path, count: int, backbone: Backbone) -> Rows | None:
    """Map Z and logits into memory; None if the cache is missing, incomplete or damaged."""
    if not (cache / _DONE_FILE).is_file():
        return None
    z, logits = (map_array(cache / f"{name}.npy") for name in _NAMES)
    wanted = ((count, backbone.z_size), (count, len(backbone.categories)))
    if z is None or logits is None or (z.shape, logits.shape) != wanted:
        return None
    return (z, logits) if z.dtype == logits.dtype == np.float32 else None


def load_checksums(cache: Path) -> Checksums | None:
    """Read the checksums of a cache; None if they were not stored."""
    try:
        return convert_record(read_json(cache / _DONE_FILE), Checksums)
    except (FileError, ValueError):
        return None


def compute_features_key(
    backbone: Backbone, photos: Sequence[Photo], *, with_sizes: bool = True
) -> str:
    """Compute the name of the cache for a network, a layer and a list of photos.

    Without sizes, it is the same for all copies of the photos, and for none.
    """
    parts = [str(_FORMAT), backbone.sha256, backbone.z_layer, str(backbone.architecture)]
    for photo in photos:
        # The size reveals most replaced photos without reading them. A missing photo is reported
        # when it is read.
        size = photo.path.stat().st_size if with_sizes and photo.path.is_file() else 0
        parts.append(f"{photo.image_id} {photo.category}/{photo.path.name} {size}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _write_features(
    folder: Path, shards: Path, backbone: Backbone, photos: Sequence[Photo]
) -> Iterator[Progress]:
    """Complete a cache by the rows that it does not have yet, from shards where there are any."""
    if folder.is_symlink() or not folder.is_dir():
        remove(folder)
        make_folder(folder)
    growing = {*(f"{name}.npy" for name in _NAMES), _NOTE_FILE}
    for path in folder.iterdir():
        if path.name not in growing or path.is_symlink() or not path.is_file():
            remove(path)
    note = _read_valid_note(folder, len(photos))
    shape, wide = (len(photos), backbone.z_size), (len(photos), len(backbone.categories))
    kind = np.dtype(np.float32)
    with (
        GrowingArray(folder / "z.npy", kind, shape, note.rows) as z_file,
        GrowingArray(folder / "logits.npy", kind, wide, note.rows) as logits_file,
    ):
        for z, logits in read_or_compute_batches(shards, backbone, photos, note.rows):
            z_file.append(z)
            logits_file.append(logits)
            note = note.add(z, logits)
            write_text(folder / _NOTE_FILE, json.dumps(asdict(note)))
            yield Progress(STAGE, note.rows, len(photos))
    for name in _NAMES:
        sync_file(folder / f"{name}.npy")
    done = {"photos": len(photos), "z": note.z, "logits": note.logits}
    write_text(folder / _DONE_FILE, json.dumps(done))


def _read_valid_note(folder: Path, count: int) -> _Note:
    """Read the note if it matches the arrays, which may not be so after a power failure."""
    note = _read_note(folder)
    if not 0 < note.rows <= count:
        return _Note()
    for name, expected in (("z", note.z), ("logits", note.logits)):
        checksum = 0
        with open_rows(folder / f"{name}.npy") as rows:
            for row in itertools.islice(rows, note.rows):
                checksum = zlib.crc32(row.tobytes(), checksum)
        if checksum != expected:
            return _Note()
    return note


def _read_note(folder: Path) -> _Note:
    try:
        return convert_record(read_json(folder / _NOTE_FILE), _Note)
    except (FileError, ValueError):
        return _Note()


def _publish(incomplete: Path, cache: Path) -> None:
    """Rename a completed cache to its final name."""
    move(incomplete, cache)
    remove(cache / _NOTE_FILE)
