"""Explanations of a module's own photos, kept on disk so that a page reads them as a slice.

``modules/<category>/<run>/maps/<layer>.npy`` holds a record for every photo of the category, in
the order of ``images.txt``: the maps in half precision on their own grid, the scores, and what is
needed to know that all this is current. It is a plain array of records:

==================  =====================================================================
``key``             hash of all that the record depends on, the photo excepted
``image_id``        the photo's id
``photo``           hash of the photo's file
``y_bar``           the module's score, float32, and ``y_hat``, the classifier's
``logits``          (C,) float32
``x_features``      (K,) float32, and ``contributions``
``largest``         (K + 1,) float32, the largest value of each map, and of that of the score
``maps``            (K, h, w) float16, and ``score``, (h, w)
``checksum``        CRC-32 of all bytes before it
==================  =====================================================================

Why ``.npy``: it can be appended to, which lets a killed run go on; `numpy.load` maps it into
memory, whatever its size; and with one record a photo, whatever belongs to a photo lies together
and is read by one access. No second file can get out of step with it.

c-MWP values may be as small as 1e-12, which half precision does not know. So each map is stored as
``map / largest · 2¹⁵``. A value comes back with an error of at most 2⁻¹¹ (0.05 %) of itself where
it is above 2⁻²⁹ (2e-9) of the largest, below that of at most 2⁻⁴⁰ (1e-12) of the largest; the
largest comes back exactly, and so do all other numbers.
"""

import hashlib
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explorer.config import get_precision
from explorer.data.photo import Photo
from explorer.nn.explanation import Explanation
from explorer.storage.growing import map_array, open_rows
from explorer.storage.reading import hash_once, hash_regular, is_inside
from explorer.workspace.files import WorkspaceFiles
from explorer.workspace.layout import ModuleEntry

Records = NDArray[Any]
"""Array of records, (M,), or a single one, ()."""

_FORMAT = 1
_SPREAD = 2.0**15  # what the largest value of a map is stored as; float16 goes up to 65,504
_HASH = "S64"


def compute_key(files: WorkspaceFiles, entry: ModuleEntry, stop: str, precision: str = "") -> bytes:
    """Hash what a module's maps depend on besides the photos: networks, layer and format.

    No network is loaded: the classifier is known by the hash in the workspace's settings. Without
    `precision`, it is that of this process; see `explorer.config.get_precision`.

    Raises
    ------
    OSError
        When the module's file cannot be read.
    """
    own, module = files.settings, hash_once(entry.path)
    parts = (_FORMAT, own.architecture, own.classifier_sha256, own.z_layer, entry.category, module)
    chosen = (stop, precision or get_precision())
    return hashlib.sha256("\n".join(map(str, (*parts, *chosen))).encode()).hexdigest().encode()


def pack_record(
    explanation: Explanation, score: NDArray[np.float32], photo: Photo, key: bytes
) -> Records:
    """Pack what is known of a photo into a record.

    Parameters
    ----------
    explanation : Explanation
        Of the photo; K maps (h, w), finite, >= 0.
    score : NDArray of float32
        (h, w), c-MWP of the classifier's own score, finite, >= 0.
    photo : Photo
        Its file is read.
    key : bytes
        From `compute_key`.

    Returns
    -------
    NDArray
        (1,).
    """
    maps = np.concatenate([explanation.maps, score[np.newaxis]])
    record = np.zeros(1, _make_type(maps.shape, len(explanation.logits)))
    record["key"], record["image_id"] = key, photo.image_id
    record["photo"] = hash_regular(photo.path).encode()
    for name in ("y_bar", "y_hat", "logits", "x_features", "contributions"):
        record[name] = getattr(explanation, name)
    stored, record["largest"] = _halve(maps)
    record["maps"], record["score"] = stored[:-1], stored[-1]
    record["checksum"] = _compute_checksum(record)
    return record


def _make_type(shape: tuple[int, ...], categories: int) -> np.dtype[Any]:
    count, height, width = shape
    return np.dtype(
        [
            ("key", _HASH),
            ("image_id", "<i8"),
            ("photo", _HASH),
            ("y_bar", "<f4"),
            ("y_hat", "<f4"),
            ("logits", "<f4", (categories,)),
            ("x_features", "<f4", (count - 1,)),
            ("contributions", "<f4", (count - 1,)),
            ("largest", "<f4", (count,)),
            ("maps", "<f2", (count - 1, height, width)),
            ("score", "<f2", (height, width)),
            ("checksum", "<u4"),
        ]
    )


def _halve(maps: NDArray[np.float32]) -> tuple[NDArray[np.float16], NDArray[np.float32]]:
    """Store maps (K, h, w) in half precision; return with them the largest value of each, (K,)."""
    largest = maps.max(axis=(1, 2))
    # Double precision: the inverse of a very small value overflows float32.
    factors = _SPREAD / np.where(largest > 0, largest, 1).astype(np.float64)
    return (maps * factors[:, np.newaxis, np.newaxis]).astype(np.float16), largest


def _restore(stored: NDArray[np.float16], largest: NDArray[np.float32]) -> NDArray[np.float32]:
    factors = largest.astype(np.float64) / _SPREAD
    maps: NDArray[np.float32] = (stored * factors[:, np.newaxis, np.newaxis]).astype(np.float32)
    return maps


def _compute_checksum(record: Records) -> int:
    return zlib.crc32(record.tobytes()[: -record.dtype["checksum"].itemsize])


@dataclass(frozen=True, eq=False)
class CachedMaps:
    """What the cache holds of a photo.

    Attributes
    ----------
    record : NDArray
        (), as described above.
    stop : str
        Layer at whose output the maps are taken.
    """

    record: Records
    stop: str

    def unpack_explanation(self) -> Explanation:
        """Return the explanation, its maps within the error that is stated above."""
        record = self.record
        return Explanation(
            logits=record["logits"].copy(),
            y_hat=float(record["y_hat"]),
            y_bar=float(record["y_bar"]),
            x_features=record["x_features"].copy(),
            contributions=record["contributions"].copy(),
            maps=_restore(record["maps"], record["largest"][:-1]),
            stop=self.stop,
        )

    def unpack_score(self) -> NDArray[np.float32]:
        """Return c-MWP of the classifier's own score, (h, w), >= 0."""
        heat: NDArray[np.float32]
        heat = _restore(self.record["score"][np.newaxis], self.record["largest"][-1:])[0]
        return heat


def count_current(file: Path, photos: Sequence[Photo], key: bytes) -> int:
    """Count the records at a file's beginning that are whole and are those of `photos`.

    Parameters
    ----------
    file : Path
        A cache, whole or in the making; it may be missing.
    photos : sequence of Photo
        Of the category, in their order; their files are read as far as there are records.
    key : bytes
        From `compute_key`.
    """
    count = 0
    with open_rows(file) as rows:
        for row, photo in zip(rows, photos, strict=False):
            if not _is_current(row, photo, key):
                break
            count += 1
    return count


def _is_current(record: Records, photo: Photo, key: bytes) -> bool:
    if not _is_ours(record.dtype):
        return False
    try:
        return bool(
            (record["key"], record["image_id"]) == (key, photo.image_id)
            and record["photo"] == hash_regular(photo.path).encode()
            and record["checksum"] == _compute_checksum(record)
            and _is_sound(record)
        )
    except OSError:  # the photo is gone, and so is what there was to say of it
        return False


def _is_ours(dtype: np.dtype[Any]) -> bool:
    """Tell whether records have the fields that `pack_record` writes, for any numbers of them."""
    if not {"maps", "logits"} <= set(dtype.names or ()):
        return False
    maps, logits = dtype["maps"].shape, dtype["logits"].shape
    if len(maps) != 3 or len(logits) != 1:
        return False
    return dtype == _make_type((maps[0] + 1, *maps[1:]), logits[0])


def _is_sound(record: Records) -> bool:
    """Tell whether all numbers are finite, and those of maps not below zero."""
    plain = ("y_bar", "y_hat", "logits", "x_features", "contributions", "largest")
    is_finite = all(bool(np.isfinite(record[name]).all()) for name in (*plain, "maps", "score"))
    return is_finite and all(bool((record[n] >= 0).all()) for n in ("largest", "maps", "score"))


def load_maps(
    files: WorkspaceFiles, entry: ModuleEntry, photo: Photo, stop: str
) -> CachedMaps | None:
    """Read what the cache holds of a photo, and nothing else of its file.

    Returns
    -------
    CachedMaps or None
        None where there is no cache, where it is damaged, or where it is not of this module,
        classifier and photo as they are now.
    """
    file = entry.get_maps_path(stop)
    if photo.category != entry.category or not is_inside(file, entry.path.parent):
        return None
    try:
        rows, place = map_array(file), files.dataset.get_place(photo)
        if rows is None or not _is_ours(rows.dtype):
            return None
        record = np.array(rows[place : place + 1]).reshape(())
        is_current = _is_current(record, photo, compute_key(files, entry, stop))
    except (OSError, ValueError, LookupError):
        return None
    is_of_data_set = len(record["logits"]) == len(files.dataset.categories)
    return CachedMaps(record, stop) if is_current and is_of_data_set else None
