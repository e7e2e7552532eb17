"""Photos as data sets for PyTorch, augmented or whole, and the accuracy on them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from explorer.data.augment import AugmentSettings, augment_image
from explorer.data.photo import Photo, load_photo
from explorer.nn.backbones.architecture import Architecture
from explorer.training.classifier.precision import Precision

_TOP = 5


def describe_photos(photos: Sequence[Photo]) -> list[tuple[int, str, str]]:
    """List what identifies each photo and its label, for hashes and files."""
    return [(photo.image_id, photo.category, photo.path.name) for photo in photos]


class TrainingPhotos(Dataset[tuple[Tensor, int]]):
    """Augmented photos; each epoch and photo has its own random state.

    An item is the normalised input (3, H, W), float32, and the index of the category.

    Attributes
    ----------
    photos : sequence of Photo
        The training photos.
    architecture : Architecture
        Input size and normalisation.
    augment : AugmentSettings
        Settings of the augmentation.
    seed : int
        Seed of the augmentation.
    epoch : int
        Counted from 0; to be set before each epoch.
    """

    def __init__(
        self,
        photos: Sequence[Photo],
        architecture: Architecture,
        augment: AugmentSettings,
        seed: int,
    ) -> None:
        self.photos = photos
        self.architecture = architecture
        self.augment = augment
        self.seed = seed
        self.epoch = 0

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        photo, arch = self.photos[index], self.architecture
        rng = np.random.default_rng((self.seed, self.epoch, photo.image_id))
        image = augment_image(load_photo(photo), photo.box, rng, arch.input_size, self.augment)
        return torch.from_numpy(arch.prepare(image)), photo.category_index


class WholePhotos(Dataset[tuple[Tensor, int]]):
    """Whole photos, squashed to the input size, as everywhere else in the explorer.

    An item is as in `TrainingPhotos`.

    Attributes
    ----------
    photos : sequence of Photo
        The photos.
    architecture : Architecture
        Input size and normalisation.
    """

    def __init__(self, photos: Sequence[Photo], architecture: Architecture) -> None:
        self.photos = photos
        self.architecture = architecture

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        photo = self.photos[index]
        pixels = self.architecture.prepare(load_photo(photo))
        return torch.from_numpy(pixels), photo.category_index


class Accuracy(NamedTuple):
    """How well a network recognises photos.

    Attributes
    ----------
    top1, top5 : float
        Share of photos whose category has the highest score, or one of the five highest.
    loss : float
        Mean cross-entropy, in nats.
    """

    top1: float
    top5: float
    loss: float


@torch.inference_mode()
def measure_accuracy(
    network: nn.Module, photos: Dataset[tuple[Tensor, int]], precision: Precision
) -> Accuracy:
    """Measure top-1 and top-5 accuracy and mean cross-entropy.

    Parameters
    ----------
    network : nn.Module
        Or some of its last layers.
    photos : Dataset
        Whole photos, or the output of the layers below for each, and the index of the category.
    precision : Precision
        Precision of the computation.
    """
    device = next(network.parameters()).device
    network.eval()
    right, count, loss = torch.zeros(_TOP, dtype=torch.int64), 0, 0.0
    # Without a generator, the loader would use the global random state, even without shuffling.
    for images, labels in DataLoader(photos, batch_size=64, generator=torch.Generator()):
        target = labels.to(device)
        with precision.autocast():
            logits = network(precision.arrange_images(images.to(device))).float()
        best = logits.topk(min(_TOP, logits.shape[1])).indices
        right[: best.shape[1]] += (best == target[:, None]).sum(0).cpu()
        loss += float(nn.functional.cross_entropy(logits, target, reduction="sum"))
        count += len(labels)
    top1, top5 = int(right[0]), int(right.sum())
    return Accuracy(*(total / max(1, count) for total in (top1, top5, loss)))
