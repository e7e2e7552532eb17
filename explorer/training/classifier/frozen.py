"""The output of frozen layers, computed once and kept on disk while others are trained."""

import hashlib
import json
import math
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Subset

from explorer.config import ExplorerError, Progress, Steps
from explorer.data.augment import AugmentSettings, augment_image
from explorer.data.photo import Photo, load_photo
from explorer.nn.backbones.architecture import Architecture
from explorer.nn.backbones.backbone import compute_output_shape, compute_sha256
from explorer.storage.growing import GrowingArray, count_rows, map_array
from explorer.storage.space import check_free_space
from explorer.storage.writing import make_folder, sync_file
from explorer.training.classifier.photos import describe_photos
from explorer.training.classifier.precision import Precision

_BATCH_SIZE = 32
_KIND = np.dtype(np.float16)
_LARGEST = float(np.finfo(np.float16).max)
_WHOLE, _MIRRORED = 0, 1


@dataclass(frozen=True, eq=False)
class PhotoViews(Dataset[Tensor]):
    """Several views of each training photo, then each validation photo whole.

    An item is the normalised input (3, H, W), float32. The first view of all training photos comes
    first, then the second, and so on: the whole photo, its mirror image, and random crops.

    Attributes
    ----------
    training, validation : sequence of Photo
        The photos.
    views : int
        Views of each training photo.
    architecture : Architecture
        Input size and normalisation.
    augment : AugmentSettings
        Settings of the crops.
    seed : int
        Seed of the crops.
    """

    training: Sequence[Photo]
    validation: Sequence[Photo]
    views: int
    architecture: Architecture
    augment: AugmentSettings
    seed: int

    def __len__(self) -> int:
        return self.views * len(self.training) + len(self.validation)

    def __getitem__(self, index: int) -> Tensor:
        view, position = divmod(index, len(self.training))
        if view >= self.views:
            return self._prepare(load_photo(self.validation[index - self.first_validation]))
        photo = self.training[position]
        image = load_photo(photo)
        if view == _MIRRORED:
            image = np.ascontiguousarray(image[:, ::-1])
        elif view != _WHOLE:
            rng = np.random.default_rng((self.seed, view, photo.image_id))
            image = augment_image(image, photo.box, rng, self.architecture.input_size, self.augment)
        return self._prepare(image)

    def _prepare(self, image: NDArray[np.uint8]) -> Tensor:
        return torch.from_numpy(self.architecture.prepare(image))

    @property
    def first_validation(self) -> int:
        """Index of the first validation photo."""
        return self.views * len(self.training)

    def describe(self) -> str:
        """Describe everything that determines the items."""
        photos = [describe_photos(side) for side in (self.training, self.validation)]
        values = [photos, self.views, asdict(self.architecture), asdict(self.augment), self.seed]
        return json.dumps(values)


@dataclass(frozen=True)
class _Output:
    """An array file that is filled with the output of some layers."""

    file: Path
    count: int
    shape: tuple[int, ...]


def compute_frozen_outputs(
    folder: Path,
    layers: Sequence[nn.Module],
    counts: Sequence[int],
    views: PhotoViews,
    precision: Precision,
) -> Steps[dict[int, NDArray[np.float16]]]:
    """Compute the output of the first layers of a network for all views, or read it.

    An interrupted computation is continued.

    Parameters
    ----------
    folder : Path
        Where the arrays are kept.
    layers : sequence of nn.Module
        The layers from pixels to logits.
    counts : sequence of int
        For each array, how many layers are frozen.
    views : PhotoViews
        The N inputs.
    precision : Precision
        Precision of the computation, on the device of `layers`.

    Yields
    ------
    Progress
        One per batch.

    Returns
    -------
    dict
        For each of `counts` an array (N, ...), float16, memory-mapped.

    Raises
    ------
    ExplorerError
        When there is not enough space on the disk.
    """
    outputs = _plan_outputs(folder, layers, counts, views)
    done = min(count_rows(output.file) for output in outputs)
    if done < len(views):
        make_folder(folder)
        row_bytes = sum(count_output_bytes(layers, count, views.architecture) for count in counts)
        missing = row_bytes * (len(views) - done)
        check_free_space(folder, missing, "The output of frozen layers")
        yield from _fill(outputs, layers, views, precision, done)
    arrays = {output.count: map_array(output.file) for output in outputs}
    found = {count: array for count, array in arrays.items() if array is not None}
    if len(found) < len(arrays):
        raise ExplorerError(f"Files in {folder} were damaged while they were written. Try again.")
    return found


def _plan_outputs(
    folder: Path, layers: Sequence[nn.Module], counts: Sequence[int], views: PhotoViews
) -> list[_Output]:
    outputs = []
    for count in sorted(counts):
        weights = compute_sha256(nn.Sequential(*layers[:count]).state_dict())
        key = hashlib.sha256(f"{weights} {views.describe()}".encode()).hexdigest()[:16]
        shape = compute_output_shape(layers[:count], views.architecture)
        outputs.append(_Output(folder / f"{count}-{key}.npy", count, (len(views), *shape)))
    return outputs


def count_output_bytes(layers: Sequence[nn.Module], count: int, architecture: Architecture) -> int:
    """Return how many bytes the output of the first `count` layers takes for one photo."""
    shape = compute_output_shape(layers[:count], architecture)
    return _KIND.itemsize * math.prod(shape)


def choose_views(wanted: int, row_bytes: int, training: int, validation: int, limit: int) -> int:
    """Return how many views of each training photo fit into `limit` bytes, `wanted` at most."""
    return max(0, min(wanted, (limit // row_bytes - validation) // max(1, training)))


@torch.inference_mode()
def _fill(
    outputs: Sequence[_Output],
    layers: Sequence[nn.Module],
    views: PhotoViews,
    precision: Precision,
    done: int,
) -> Steps[None]:
    # The last batch may not have reached the disk before a power failure.
    done = max(0, done - _BATCH_SIZE)
    with ExitStack() as stack:
        files = [
            stack.enter_context(GrowingArray(one.file, _KIND, one.shape, done)) for one in outputs
        ]
        done = min(file.rows for file in files)
        rest = Subset(views, range(done, len(views)))
        for images in DataLoader(rest, _BATCH_SIZE, generator=torch.Generator()):
            current, first = precision.arrange_images(images.to(precision.device)), 0
            for output, file in zip(outputs, files, strict=True):
                with precision.autocast():
                    for layer in layers[first : output.count]:
                        current = layer(current)
                first = output.count
                limited = current.float().clamp(-_LARGEST, _LARGEST)
                file.append(limited.half().contiguous().cpu().numpy())
                sync_file(output.file)
            done += len(images)
            yield Progress("Computing the output of frozen layers", done, len(views))


class FrozenPhotos(Dataset[tuple[Tensor, int]]):
    """Training photos as the output of frozen layers: a random view of each in every epoch.

    An item is the output (...), float32, and the index of the category.

    Attributes
    ----------
    outputs : NDArray of float16
        (N, ...), in the order of `views`.
    views : PhotoViews
        What they were computed from.
    epoch : int
        Counted from 0; to be set before each epoch.
    """

    def __init__(self, outputs: NDArray[np.float16], views: PhotoViews) -> None:
        self.outputs = outputs
        self.views = views
        self.epoch = 0

    def __len__(self) -> int:
        return len(self.views.training)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        photo = self.views.training[index]
        rng = np.random.default_rng((self.views.seed, self.epoch, photo.image_id))
        row = int(rng.integers(self.views.views)) * len(self) + index
        return _to_tensor(self.outputs[row]), photo.category_index


class FrozenValidation(Dataset[tuple[Tensor, int]]):
    """Validation photos as the output of frozen layers; items are as in `FrozenPhotos`."""

    def __init__(self, outputs: NDArray[np.float16], views: PhotoViews) -> None:
        self.outputs = outputs[views.first_validation :]
        self.photos = views.validation

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return _to_tensor(self.outputs[index]), self.photos[index].category_index


def _to_tensor(output: NDArray[np.float16]) -> Tensor:
    return torch.from_numpy(np.asarray(output, np.float32))
