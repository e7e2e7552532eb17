"""Z and logits of every photo, computed once and kept on disk."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from explorer.config import ExplorerError, Progress
from explorer.data.cub import Photo, load_photo
from explorer.data.transforms import prepare_image
from explorer.files import write_text
from explorer.nn.backbones import Backbone
from explorer.nn.vgg import Architecture

_BATCH_SIZE = 32
_FORMAT = 1


@dataclass(frozen=True, eq=False)
class Features:
    """What the classifier says of every photo of a data set.

    Attributes
    ----------
    image_ids : NDArray of int64
        (M,), in the order of the rows below.
    z : NDArray of float32
        (M, S_z), >= 0; memory-mapped when read from disk.
    logits : NDArray of float32
        (M, C), signed: the scores before softmax; memory-mapped when read from disk.
    """

    image_ids: NDArray[np.int64]
    z: NDArray[np.float32]
    logits: NDArray[np.float32]

    def get_rows(self, image_ids: Sequence[int]) -> NDArray[np.int64]:
        """Return the row of each image id; raises `ExplorerError` where there is none."""
        wanted = np.asarray(image_ids, dtype=np.int64)
        unknown = np.setdiff1d(wanted, self.image_ids)
        if len(unknown):
            raise ExplorerError(
                f"The data set has no photo with id {unknown[0]}. Train the module again."
            )
        order = np.argsort(self.image_ids)
        rows: NDArray[np.int64] = order[np.searchsorted(self.image_ids, wanted, sorter=order)]
        return rows

    def copy_z(self, device: torch.device) -> Tensor:
        """Copy Z of all photos, (M, S_z), to `device`, for modules that share it in training."""
        return torch.from_numpy(np.array(self.z)).to(device)


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
    of any of them makes a new cache. A computation that is killed leaves no cache behind, and a
    cache that cannot be read is computed anew.

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
        One per batch that had to be computed; none where the cache is there.

    Returns
    -------
    Features
        Memory-mapped, read-only.
    """
    cache = folder / _compute_key(backbone, photos)
    image_ids = np.array([photo.image_id for photo in photos], dtype=np.int64)
    arrays = _load_arrays(cache, len(photos))
    if arrays is None:
        shutil.rmtree(cache, ignore_errors=True)
        yield from _write_features(cache, backbone, photos)
        arrays = _load_arrays(cache, len(photos))
    if arrays is None:
        raise ExplorerError(f"{cache} was damaged while it was written. Try again.")
    return Features(image_ids, *arrays)


def _load_arrays(cache: Path, count: int) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
    """Map Z and logits into memory; None where they are not there whole."""
    if not (cache / "done.json").is_file():
        return None
    try:
        z, logits = (np.load(cache / f"{name}.npy", mmap_mode="r") for name in ("z", "logits"))
    except (OSError, ValueError):
        return None
    return (z, logits) if len(z) == len(logits) == count else None


def _compute_key(backbone: Backbone, photos: Sequence[Photo]) -> str:
    parts = [str(_FORMAT), backbone.sha256, backbone.z_layer, str(backbone.architecture)]
    for photo in photos:
        # The size tells a photo that was replaced without reading it. One that is gone is
        # reported when it is read.
        size = photo.path.stat().st_size if photo.path.is_file() else 0
        parts.append(f"{photo.image_id} {photo.category}/{photo.path.name} {size}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _write_features(cache: Path, backbone: Backbone, photos: Sequence[Photo]) -> Iterator[Progress]:
    cache.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{cache.name}.", suffix=".tmp", dir=cache.parent))
    try:
        shapes = {"z": backbone.z_size, "logits": len(backbone.categories)}
        arrays = {
            name: np.lib.format.open_memmap(
                temporary / f"{name}.npy", "w+", np.float32, (len(photos), size)
            )
            for name, size in shapes.items()
        }
        for rows, z, logits in _compute_batches(backbone, photos):
            arrays["z"][rows], arrays["logits"][rows] = z, logits
            yield Progress("Reading photos through the network", rows.stop, len(photos))
        for array in arrays.values():
            array.flush()
        write_text(temporary / "done.json", json.dumps({"photos": len(photos)}))
        _rename_folder(temporary, cache)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _rename_folder(temporary: Path, final: Path) -> None:
    """Move a finished cache into place; another process may have finished the same one first."""
    temporary.chmod(0o755)
    try:
        os.replace(temporary, final)  # noqa: PTH105 (Path.replace hides that folders work too)
    except OSError:
        if not (final / "done.json").is_file():
            raise


def _compute_batches(
    backbone: Backbone, photos: Sequence[Photo]
) -> Iterator[tuple[slice, NDArray[np.float32], NDArray[np.float32]]]:
    load = partial(load_input, architecture=backbone.architecture)
    starts = range(0, len(photos), _BATCH_SIZE)
    with ThreadPoolExecutor(2) as pool:
        # The next batch is decoded while this one goes through the network.
        upcoming = [pool.submit(load, photo) for photo in photos[:_BATCH_SIZE]]
        for start in starts:
            images = np.stack([future.result() for future in upcoming])
            following = photos[start + _BATCH_SIZE : start + 2 * _BATCH_SIZE]
            upcoming = [pool.submit(load, photo) for photo in following]
            z, logits = backbone.compute_features(torch.from_numpy(images).to(backbone.device))
            yield slice(start, start + len(images)), z.cpu().numpy(), logits.cpu().numpy()
