"""Z and logits of every photo, computed once and kept on disk.

``features/<key>/`` holds ``z.npy`` and ``logits.npy``, a row for each photo, and ``done.json`` with
their checksums, without which it does not count as complete. While they are being computed they lie
in ``features/.<key>.tmp/``, with a note after every batch of how many rows there are and of their
checksums. Whoever computes them holds ``features/.lock``.
"""

import hashlib
import itertools
import json
import zlib
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from explorer.config import ExplorerError, Progress
from explorer.data.photo import Photo, load_photo
from explorer.data.transforms import prepare_image
from explorer.nn.backbones.architecture import Architecture
from explorer.nn.backbones.backbone import Backbone
from explorer.storage.growing import GrowingArray, map_array, open_rows
from explorer.storage.json_records import parse_json
from explorer.storage.locks import take_lock
from explorer.storage.reading import read_regular
from explorer.storage.writing import (
    make_folder,
    move,
    remove,
    sync_file,
    try_to_remove,
    write_text,
)
from explorer.workspace.features import Features

_BATCH_SIZE = 32
_FORMAT = 1
_STAGE = "Reading photos through the network"
_NAMES = ("z", "logits")
_DONE_FILE = "done.json"
_NOTE_FILE = "note.json"
LOCK_FILE = ".lock"
_NOTHING = {"rows": 0, "z": 0, "logits": 0}
_MOST_HELD_BYTES = 2**30


def load_input(photo: Photo, architecture: Architecture) -> NDArray[np.float32]:
    """Load a photo as the network's input (3, H, W), the whole photo squashed."""
    return prepare_image(
        load_photo(photo), architecture.input_size, architecture.mean, architecture.std
    )


def load_or_compute_features(
    folder: Path, backbone: Backbone, photos: Sequence[Photo]
) -> Generator[Progress, None, Features]:
    """Read the cached features of `photos`, computing and storing them first where needed.

    The cache's name is a hash of the weights, the layer and the list of photos, so that a change
    of any of them makes a new cache. A computation that is killed goes on after its last whole
    batch, with the same bytes as one that is not. Of several processes one computes, and the
    others wait for it. A cache that cannot be read is computed anew.

    Parameters
    ----------
    folder : Path
        The workspace's ``features/``.
    backbone : Backbone
        The classifier, on the device on which to compute.
    photos : sequence of Photo
        Not empty.

    Yields
    ------
    Progress
        One per batch that had to be computed, and now and then while another process computes;
        none where the cache is there.

    Returns
    -------
    Features
        Memory-mapped, read-only.
    """
    key = compute_features_key(backbone, photos)
    cache, partial = folder / key, folder / f".{key}.tmp"
    image_ids = np.array([photo.image_id for photo in photos], dtype=np.int64)
    arrays = load_arrays(cache, len(photos), backbone)
    if arrays is None:
        lock = yield from take_lock(
            folder / LOCK_FILE,
            lambda: Progress(_STAGE, min(_read_note(partial)["rows"], len(photos)), len(photos)),
        )
        try:
            # It may have come from another process meanwhile.
            if load_arrays(cache, len(photos), backbone) is None:
                _remove_dead(folder, cache, partial)
                yield from _write_features(partial, backbone, photos)
                _publish(partial, cache)
        finally:
            lock.release()
        arrays = load_arrays(cache, len(photos), backbone)
    if arrays is None:
        raise ExplorerError(f"{cache} was damaged while it was written. Try again.")
    return Features(image_ids, *arrays)


def load_or_hold_features(
    folder: Path, backbone: Backbone, photos: Sequence[Photo]
) -> Generator[Progress, None, Features]:
    """Read the cached features of `photos`, or compute them in memory; nothing is written.

    Parameters
    ----------
    folder, backbone, photos
        As in `load_or_compute_features`.

    Yields
    ------
    Progress
        One per batch that had to be computed.

    Raises
    ------
    ExplorerError
        When they are not on disk, and too many to be held in memory.
    """
    cache = folder / compute_features_key(backbone, photos)
    arrays = load_arrays(cache, len(photos), backbone)
    if arrays is None:
        width = backbone.z_size + len(backbone.categories)
        if 4 * width * len(photos) > _MOST_HELD_BYTES:
            raise ExplorerError(
                f"{folder} does not hold what the network says of all {len(photos):,} photos, and "
                "here it may not be stored. Compute it once where the workspace can be written to: "
                f"`python -m explorer evaluate {folder.parent}`."
            )
        parts = []
        for part in _compute_batches(backbone, photos, 0):
            parts.append(part)
            yield Progress(_STAGE, sum(len(z) for z, _ in parts), len(photos))
        z, logits = (np.concatenate(rows) for rows in zip(*parts, strict=True))
        arrays = z, logits
    return Features(np.array([photo.image_id for photo in photos], dtype=np.int64), *arrays)


def _remove_dead(folder: Path, cache: Path, partial: Path) -> None:
    """Remove a damaged cache, and what was left by others; who has the lock is alone here.

    Parts of other caches would be gone on with only by a network or list of photos that has been
    replaced since.
    """
    for path in (cache, *folder.glob(".*.tmp")):
        if path != partial:
            try_to_remove(path)


def load_arrays(
    cache: Path, count: int, backbone: Backbone
) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
    """Map Z and logits into memory; None where they are not there whole."""
    if not (cache / _DONE_FILE).is_file():
        return None
    z, logits = (map_array(cache / f"{name}.npy") for name in _NAMES)
    wanted = ((count, backbone.z_size), (count, len(backbone.categories)))
    if z is None or logits is None or (z.shape, logits.shape) != wanted:
        return None
    return (z, logits) if z.dtype == logits.dtype == np.float32 else None


def load_checksums(cache: Path) -> dict[str, int]:
    """Read the CRC-32 of all rows of ``z`` and ``logits``; nothing where they were not noted."""
    try:
        done = parse_json(read_regular(cache / _DONE_FILE))
        return {name: int(done[name]) for name in _NAMES}
    except (OSError, ValueError, TypeError, KeyError, OverflowError):
        return {}


def compute_features_key(backbone: Backbone, photos: Sequence[Photo]) -> str:
    """Name the cache of a network, a layer and a list of photos."""
    parts = [str(_FORMAT), backbone.sha256, backbone.z_layer, str(backbone.architecture)]
    for photo in photos:
        # The size tells a photo that was replaced without reading it. One that is gone is
        # reported when it is read.
        size = photo.path.stat().st_size if photo.path.is_file() else 0
        parts.append(f"{photo.image_id} {photo.category}/{photo.path.name} {size}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _write_features(
    partial: Path, backbone: Backbone, photos: Sequence[Photo]
) -> Iterator[Progress]:
    """Compute what is missing in `partial`, which is then ready to be published."""
    if partial.is_symlink() or not partial.is_dir():
        remove(partial)
        make_folder(partial)
    growing = {*(f"{name}.npy" for name in _NAMES), _NOTE_FILE}
    for path in partial.iterdir():
        if path.name not in growing or path.is_symlink() or not path.is_file():
            remove(path)
    note = _find_sound(partial, len(photos))
    shape, wide = (len(photos), backbone.z_size), (len(photos), len(backbone.categories))
    kind = np.dtype(np.float32)
    with (
        GrowingArray(partial / "z.npy", kind, shape, note["rows"]) as z_file,
        GrowingArray(partial / "logits.npy", kind, wide, note["rows"]) as logits_file,
    ):
        for z, logits in _compute_batches(backbone, photos, note["rows"]):
            z_file.append(z)
            logits_file.append(logits)
            note = {
                "rows": note["rows"] + len(z),
                "z": zlib.crc32(z.tobytes(), note["z"]),
                "logits": zlib.crc32(logits.tobytes(), note["logits"]),
            }
            write_text(partial / _NOTE_FILE, json.dumps(note))
            yield Progress(_STAGE, note["rows"], len(photos))
    for name in _NAMES:
        sync_file(partial / f"{name}.npy")
    sums = {name: note[name] for name in _NAMES}
    write_text(partial / _DONE_FILE, json.dumps({"photos": len(photos), **sums}))


def _find_sound(partial: Path, count: int) -> dict[str, int]:
    """Return the note on what is there, if that is so: the machine may have lost power since."""
    note = _read_note(partial)
    if not 0 < note["rows"] <= count:
        return _NOTHING
    for name in _NAMES:
        checksum = 0
        with open_rows(partial / f"{name}.npy") as rows:
            for row in itertools.islice(rows, note["rows"]):
                checksum = zlib.crc32(row.tobytes(), checksum)
        if checksum != note[name]:
            return _NOTHING
    return note


def _read_note(partial: Path) -> dict[str, int]:
    try:
        note = parse_json(read_regular(partial / _NOTE_FILE))
        return {name: int(note[name]) for name in _NOTHING}
    except (OSError, ValueError, TypeError, KeyError, OverflowError):
        return _NOTHING


def _publish(partial: Path, cache: Path) -> None:
    """Put a finished cache in its place."""
    move(partial, cache)
    remove(cache / _NOTE_FILE)


def _compute_batches(
    backbone: Backbone, photos: Sequence[Photo], first: int
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Compute Z and logits, a batch at a time, from the photo at place `first` on."""
    load = partial(load_input, architecture=backbone.architecture)
    with ThreadPoolExecutor(2) as pool:
        # The next batch is decoded while this one goes through the network.
        upcoming = [pool.submit(load, photo) for photo in photos[first : first + _BATCH_SIZE]]
        for start in range(first, len(photos), _BATCH_SIZE):
            images = np.stack([future.result() for future in upcoming])
            following = photos[start + _BATCH_SIZE : start + 2 * _BATCH_SIZE]
            upcoming = [pool.submit(load, photo) for photo in following]
            z, logits = backbone.compute_features(torch.from_numpy(images).to(backbone.device))
            yield z.cpu().numpy(), logits.cpu().numpy()
