"""Cached explanations of a module for the photos of its category.

``modules/<category>/<run>/maps/<layer>.npy`` holds one record per photo of the category, in the
order of ``images.txt``, with the maps in half precision at their own resolution, the scores, and
what is needed to check that the record is current. It is an array of structured records:

==================  =====================================================================
``key``             hash of everything that the record depends on except for the photo
``image_id``        the photo's id
``photo``           hash of the photo's file
``y_bar``           the module's score, float32, and ``y_hat``, the classifier's
``logits``          (C,) float32
``x_features``      (K,) float32, and ``contributions``
``largest``         (K + 1,) float32, the largest value of each map, and of that of the score
``maps``            (K, h, w) float16, and ``score``, (h, w)
``checksum``        CRC-32 of all bytes before it
==================  =====================================================================

The format is ``.npy`` because it can be appended to, so that an interrupted run can continue, and
mapped into memory, whatever its size. Everything about a photo is in one record, which is read with
a single access and cannot become inconsistent with other files.

c-MWP values may be as small as 1e-12, below the range of half precision. So each map is stored as
``map / largest · 2¹⁵``. Values above 2⁻²⁹ (2e-9) of the largest are restored with a relative error
of at most 2⁻¹¹ (0.05 %), smaller ones with an error of at most 2⁻⁴⁰ (1e-12) of the largest. The
largest value and all other numbers are restored exactly.
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
from explorer.storage.reading import hash_cached, hash_regular, is_inside
from explorer.workspace.files import WorkspaceFiles
from explorer.workspace.layout import ModuleEntry

Records = NDArray[Any]
"""Structured array of records, (M,), or a single record, ()."""

_FORMAT = 1
_SCALE = 2.0**15  # of the largest value of a map; float16 goes up to 65,504
_HASH = "S64"


def compute_key(files: WorkspaceFiles, entry: ModuleEntry, stop: str, precision: str = "") -> bytes:
    """Hash everything that a module's maps depend on except for the photos.

    No network is loaded: the hash of the classifier is in the workspace's settings. The default
    `precision` is that of this process; see `explorer.config.get_precision`.

    Raises
    ------
    OSError
        When the module's file cannot be read.
    """
    own, module = files.settings, hash_cached(entry.path)
    parts = (_FORMAT, own.architecture, own.classifier_sha256, own.z_layer, entry.category, module)
    chosen = (stop, precision or get_precision())
    return hashlib.sha256("\n".join(map(str, (*parts, *chosen))).encode()).hexdigest().encode()


def pack_record(
    explanation: Explanation, score: NDArray[np.float32], photo: Photo, key: bytes
) -> Records:
    """Pack the explanation of a photo into a record.

    Parameters
    ----------
    explanation : Explanation
        The explanation, with K maps (h, w), finite, >= 0.
    score : NDArray of float32
        (h, w), c-MWP of the classifier's own score, finite, >= 0.
    photo : Photo
        The photo, whose file is hashed.
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
    stored, record["largest"] = _to_half(maps)
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


def _to_half(maps: NDArray[np.float32]) -> tuple[NDArray[np.float16], NDArray[np.float32]]:
    """Scale maps (K, h, w) to half precision; return them and the largest value of each, (K,)."""
    largest = maps.max(axis=(1, 2))
    # Double precision: the inverse of a very small value overflows float32.
    factors = _SCALE / np.where(largest > 0, largest, 1).astype(np.float64)
    return (maps * factors[:, np.newaxis, np.newaxis]).astype(np.float16), largest


def _restore(stored: NDArray[np.float16], largest: NDArray[np.float32]) -> NDArray[np.float32]:
    factors = largest.astype(np.float64) / _SCALE
    maps: NDArray[np.float32] = (stored * factors[:, np.newaxis, np.newaxis]).astype(np.float32)
    return maps


def _compute_checksum(record: Records) -> int:
    return zlib.crc32(record.tobytes()[: -record.dtype["checksum"].itemsize])


@dataclass(frozen=True, eq=False)
class CachedMaps:
    """The cached record of a photo.

    Attributes
    ----------
    record : NDArray
        (), with the fields above.
    stop : str
        Layer at whose output the maps were taken.
    """

    record: Records
    stop: str

    def unpack_explanation(self) -> Explanation:
        """Return the explanation, with maps restored to the accuracy above."""
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
    """Count the valid records of `photos` at the start of a cache file.

    Parameters
    ----------
    file : Path
        The cache file, which may be incomplete or missing.
    photos : sequence of Photo
        The photos of the category, in order. Only files of photos with a record are read.
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
    if not _has_our_fields(record.dtype):
        return False
    try:
        return bool(
            (record["key"], record["image_id"]) == (key, photo.image_id)
            and record["photo"] == hash_regular(photo.path).encode()
            and record["checksum"] == _compute_checksum(record)
            and _is_valid(record)
        )
    except OSError:  # the photo is missing
        return False


def _has_our_fields(dtype: np.dtype[Any]) -> bool:
    """Return whether records have the fields that `pack_record` writes, in any size."""
    if not {"maps", "logits"} <= set(dtype.names or ()):
        return False
    maps, logits = dtype["maps"].shape, dtype["logits"].shape
    if len(maps) != 3 or len(logits) != 1:
        return False
    return dtype == _make_type((maps[0] + 1, *maps[1:]), logits[0])


def _is_valid(record: Records) -> bool:
    """Return whether all numbers are finite, and those of maps non-negative."""
    plain = ("y_bar", "y_hat", "logits", "x_features", "contributions", "largest")
    is_finite = all(bool(np.isfinite(record[name]).all()) for name in (*plain, "maps", "score"))
    return is_finite and all(bool((record[n] >= 0).all()) for n in ("largest", "maps", "score"))


def load_maps(
    files: WorkspaceFiles, entry: ModuleEntry, photo: Photo, stop: str
) -> CachedMaps | None:
    """Read the cached record of a photo.

    Returns
    -------
    CachedMaps or None
        None if there is no record, or if it is damaged or does not belong to the current module,
        classifier and photo.
    """
    file = entry.get_maps_path(stop)
    if photo.category != entry.category or not is_inside(file, entry.path.parent):
        return None
    try:
        rows, place = map_array(file), files.dataset.get_index_in_category(photo)
        if rows is None or not _has_our_fields(rows.dtype):
            return None
        record = np.array(rows[place : place + 1]).reshape(())
        is_current = _is_current(record, photo, compute_key(files, entry, stop))
    except (OSError, ValueError, LookupError):
        return None
    has_all_categories = len(record["logits"]) == len(files.dataset.categories)
    return CachedMaps(record, stop) if is_current and has_all_categories else None
