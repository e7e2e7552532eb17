"""Z of all photos in one small file, for a workspace that is handed on without its photos.

``features/packed.npz`` holds the name of the cache that it stands for, and Z with ten significant
bits, compressed: the upper bytes of half precision apart from the lower ones, since only the upper
ones resemble each other. Logits follow from Z by the layers above it, more exactly than half
precision would keep them. Where they do not follow, since Z is no layer of the network but made
from one, they are stored as well.
"""

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from explorer.data.photo import Photo
from explorer.nn.arithmetic import fixed_arithmetic
from explorer.nn.backbones.backbone import Backbone
from explorer.storage.reading import UNREADABLE_ARCHIVE, read_regular
from explorer.storage.writing import write_bytes
from explorer.workspace.features import Features
from explorer.workspace.features_cache import compute_features_key

PACKED_FILE = "packed.npz"

_HEADER_BYTES = 4096  # of an array within the file
_CHUNK_ROWS = 4096
_SIGNIFICANT_BITS = 10  # an error of at most 0.1 %; half precision has eleven
_HALF = np.dtype("<f2")


def pack_features(
    file: Path, backbone: Backbone, photos: Sequence[Photo], features: Features
) -> None:
    """Write the features of `photos` as a file that holds for any copy of them.

    Parameters
    ----------
    file : Path
        File to write.
    backbone : Backbone
        The classifier.
    photos : sequence of Photo
        In the order of the rows of `features`.
    features : Features
        Z is rounded to ten significant bits, in half precision.
    """
    arrays: dict[str, NDArray[np.generic]] = {
        "key": np.array(compute_features_key(backbone, photos, with_sizes=False)),
        **_split(_round(features.z)),
    }
    if len(backbone.readout):
        arrays["logits"] = np.asarray(features.logits, np.float32)
    content = io.BytesIO()
    np.savez_compressed(content, allow_pickle=False, **arrays)
    write_bytes(file, content.getvalue())


def _round(z: NDArray[np.float32]) -> NDArray[np.float32]:
    mantissa, exponent = np.frexp(z)
    scale = 2.0**_SIGNIFICANT_BITS
    rounded: NDArray[np.float32] = np.ldexp(np.round(mantissa * scale) / scale, exponent)
    return rounded


def _split(z: NDArray[np.float32]) -> dict[str, NDArray[np.uint8]]:
    """Return the lower and the upper bytes of values in half precision."""
    values = np.ascontiguousarray(z, _HALF)
    pairs = values.view(np.uint8).reshape(*values.shape, 2)
    return {"z_lower": pairs[..., 0], "z_upper": pairs[..., 1]}


def _join(lower: NDArray[np.uint8], upper: NDArray[np.uint8]) -> NDArray[np.float32]:
    if lower.dtype != np.uint8 or upper.dtype != np.uint8:
        raise ValueError("halves of values are bytes")
    pairs = np.stack([lower, upper], axis=-1)
    z: NDArray[np.float32] = pairs.view(_HALF)[..., 0].astype(np.float32)
    return z


def load_packed_features(
    file: Path, backbone: Backbone, photos: Sequence[Photo]
) -> Features | None:
    """Read packed features; None if there are none, or they belong to other photos or weights."""
    count, categories = len(photos), len(backbone.categories)
    most = 4 * count * (backbone.z_size + categories) + 3 * _HEADER_BYTES
    try:
        data = io.BytesIO(read_regular(file, most))
        with zipfile.ZipFile(data) as archive:
            if sum(member.file_size for member in archive.infolist()) > most:
                return None  # it would fill the memory
        data.seek(0)
        with np.load(data, allow_pickle=False) as stored:
            if str(stored["key"]) != compute_features_key(backbone, photos, with_sizes=False):
                return None
            z = _join(stored["z_lower"], stored["z_upper"])
            logits = stored.get("logits")
    except (*UNREADABLE_ARCHIVE, KeyError):
        return None
    if z.shape != (count, backbone.z_size) or not np.isfinite(z).all():
        return None
    if not len(backbone.readout):
        logits = _compute_logits(backbone, z)
    if logits is None or logits.shape != (count, categories) or logits.dtype != np.float32:
        return None
    for array in (z, logits):
        array.setflags(write=False)
    return Features(np.array([photo.image_id for photo in photos], np.int64), z, logits)


@torch.inference_mode()
@fixed_arithmetic()
def _compute_logits(backbone: Backbone, z: NDArray[np.float32]) -> NDArray[np.float32]:
    """Compute the logits (M, C) of Z (M, S_z), in chunks, which limits the memory."""
    chunks = [z[start : start + _CHUNK_ROWS] for start in range(0, len(z), _CHUNK_ROWS)]
    rows = [backbone.top(torch.from_numpy(chunk).to(backbone.device)) for chunk in chunks]
    logits: NDArray[np.float32] = torch.cat(rows).cpu().numpy()
    return logits
