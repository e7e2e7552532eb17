"""Fine-tuning of a classifier on a CUB folder, as a generator of progress records."""

import contextlib
import copy
import math
from collections.abc import Generator, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from explorer.config import ExplorerError, Progress, check_seed
from explorer.data.augment import DEFAULT_AUGMENT, AugmentSettings
from explorer.data.cub import CubDataset, Photo
from explorer.nn.backbones import Backbone
from explorer.nn.checkpoint import round_to_half
from explorer.nn.foreign import load_foreign_weights
from explorer.nn.imagenet import load_imagenet_weights
from explorer.nn.vgg import (
    Vgg,
    build_network,
    build_network_from_weights,
    flatten_network,
    get_architecture,
)
from explorer.training.photos import TrainingPhotos, measure_accuracy

_MIN_VALIDATION_PHOTOS = 1


@dataclass(frozen=True)
class FinetuneSettings:
    """How a classifier is fine-tuned.

    Attributes
    ----------
    architecture : str
        A name in `explorer.nn.vgg.ARCHITECTURES`.
    initial : str
        ``imagenet`` (torchvision's IMAGENET1K_V1 weights), ``scratch``, or the path of a file of
        weights. Empty: ``scratch`` for vgg_small, ``imagenet`` for the others.
    epochs, batch_size, seed : int
        Passes over the training photos, photos per step, and the seed of everything random.
    learning_rate : float
        Peak of a one-cycle schedule of AdamW; 0 chooses 1e-3 from scratch and 1e-4 otherwise.
    weight_decay : float
        Decoupled weight decay.
    label_smoothing : float
        Share of the target spread over all categories.
    validation_share : float
        Share of each category's training photos on which the best epoch is chosen.
    augment : AugmentSettings
        How far training photos are varied.
    half : bool
        Round the final weights to half precision, for half the file; measured after rounding.
    workers : int
        Processes that load and augment photos; 0 loads in this one.
    random_labels : bool
        Shuffle the labels of the training photos and keep the last epoch: the data randomisation
        test of Adebayo et al., "Sanity Checks for Saliency Maps" (2018), section 4. What such a
        network knows by heart has nothing to do with birds.
    """

    architecture: str = "vgg_small"
    initial: str = ""
    epochs: int = 30
    batch_size: int = 32
    seed: int = 0
    learning_rate: float = 0.0
    weight_decay: float = 0.02
    label_smoothing: float = 0.1
    validation_share: float = 0.1
    augment: AugmentSettings = DEFAULT_AUGMENT
    half: bool = False
    workers: int = 0
    random_labels: bool = False

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 2:
            raise ExplorerError("Fine-tuning needs at least 1 epoch and batches of at least 2.")
        if not 0 < self.validation_share < 1:
            raise ExplorerError("The validation share must lie between 0 and 1.")
        # Written so that NaN is refused as well.
        if not (self.learning_rate >= 0 and self.weight_decay >= 0):
            raise ExplorerError("The learning rate and weight decay must be at least 0.")
        if not 0 <= self.label_smoothing < 1:
            raise ExplorerError("Label smoothing must be at least 0 and below 1.")
        if self.workers < 0:
            raise ExplorerError("The number of workers must be at least 0.")
        check_seed(self.seed)


def finetune(
    dataset: CubDataset,
    held_out: Sequence[Photo],
    settings: FinetuneSettings,
    device: torch.device,
) -> Generator[Progress, None, tuple[Backbone, dict[str, Any]]]:
    """Train a classifier of the categories of `dataset`.

    The best epoch is chosen by its accuracy on a share of the training photos (ties: by the lower
    loss); `held_out` is looked at once, at the end.

    Yields
    ------
    Progress
        Within an epoch the running loss, after it the validation accuracy.

    Returns
    -------
    backbone : Backbone
        On the CPU, batch norm folded.
    report : dict
        Settings, history per epoch, accuracy on validation photos and on `held_out`.
    """
    held_out_ids = {photo.image_id for photo in held_out}
    known = [photo for photo in dataset.photos if photo.image_id not in held_out_ids]
    # A subset may keep the whole classes.txt: a category without any photo is simply not learnt.
    unknown = sorted({photo.category for photo in held_out} - {photo.category for photo in known})
    if unknown:
        raise ExplorerError(f"{unknown[0]} has no photo to train with. Hold fewer photos out.")
    if settings.random_labels:
        known = shuffle_labels(known, settings.seed)
    training, validation = split_validation(known, settings.validation_share, settings.seed)
    architecture = get_architecture(settings.architecture)
    train = TrainingPhotos(training, architecture, settings.augment, settings.seed)
    network = build_initial_network(settings, len(dataset.categories)).to(device)
    loader = DataLoader(
        train,
        batch_size=settings.batch_size,
        shuffle=True,
        drop_last=len(train) > settings.batch_size,
        num_workers=settings.workers,
        generator=torch.Generator().manual_seed(settings.seed),
    )
    optimiser, schedule = _build_optimiser(network, settings, len(loader))
    dropout = torch.Generator().manual_seed(settings.seed)
    smoothing = settings.label_smoothing
    total = settings.epochs * len(loader)
    best_state, best_key = network.state_dict(), (-1.0, -float("inf"))
    history: list[dict[str, float]] = []
    for epoch in range(settings.epochs):
        train.epoch = epoch
        mean_loss = 0.0
        steps = _train_epoch(
            network, loader, optimiser, schedule, dropout=dropout, smoothing=smoothing
        )
        for step, mean_loss in enumerate(steps, start=1):
            values = {"loss": mean_loss} | ({} if not history else history[-1])
            yield Progress("Fine-tuning", epoch * len(loader) + step, total, values)
        accuracy, loss = measure_accuracy(network, validation, architecture)
        history.append({"train_loss": mean_loss, "validation_accuracy": accuracy})
        if settings.random_labels or (accuracy, -loss) > best_key:
            best_key = (accuracy, -loss)
            best_state = copy.deepcopy(network.state_dict())
    network.load_state_dict(best_state)
    layers = flatten_network(network)
    if settings.half:
        round_to_half(layers)
    test_accuracy, _ = measure_accuracy(layers, held_out, architecture)
    report = {
        "settings": asdict(settings),
        "history": history,
        "photos": {"train": len(training), "validation": len(validation), "test": len(held_out)},
        "validation_accuracy": best_key[0],
        "test_accuracy": test_accuracy,
    }
    return Backbone(architecture, layers.cpu(), dataset.categories), report


def shuffle_labels(photos: Sequence[Photo], seed: int) -> list[Photo]:
    """Deal the photos' labels out to them anew, so that none means anything."""
    order = np.random.default_rng(seed).permutation(len(photos))
    return [
        replace(
            photo,
            category=photos[other].category,
            category_index=photos[other].category_index,
        )
        for photo, other in zip(photos, order, strict=True)
    ]


def split_validation(
    photos: Sequence[Photo], share: float, seed: int
) -> tuple[list[Photo], list[Photo]]:
    """Set aside `share` of each category's photos, at least one, for choosing the best epoch."""
    rng = np.random.default_rng(seed)
    chosen: set[int] = set()
    categories = sorted({photo.category for photo in photos})
    for category in categories:
        ids = [photo.image_id for photo in photos if photo.category == category]
        if len(ids) < 2:
            raise ExplorerError(f"{category} has fewer than two photos to train with.")
        count = max(_MIN_VALIDATION_PHOTOS, round(share * len(ids)))
        chosen |= set(map(int, rng.choice(ids, size=count, replace=False)))
    train = [photo for photo in photos if photo.image_id not in chosen]
    return train, [photo for photo in photos if photo.image_id in chosen]


def build_random_backbone(architecture: str, categories: tuple[str, ...], seed: int) -> Backbone:
    """Build a classifier with random weights, as training from scratch begins with one."""
    settings = FinetuneSettings(architecture, initial="scratch", seed=seed)
    layers = flatten_network(build_initial_network(settings, len(categories)))
    return Backbone(get_architecture(architecture), layers, categories)


def build_initial_network(settings: FinetuneSettings, category_count: int) -> Vgg:
    """Build the network to start from; a head of another size is replaced by a fresh one."""
    initial = settings.initial or (
        "scratch" if settings.architecture == "vgg_small" else "imagenet"
    )
    if initial == "scratch":
        with _fork_random_state(torch.device("cpu"), settings.seed):
            return build_network(settings.architecture, category_count, batch_norm=True)
    if initial == "imagenet":
        weights = load_imagenet_weights(settings.architecture)
    else:
        weights = load_foreign_weights(Path(initial))
    network = build_network_from_weights(settings.architecture, weights)
    if len(weights["classifier.6.bias"]) != category_count:
        with _fork_random_state(torch.device("cpu"), settings.seed):
            network.replace_head(category_count)
    return network


def _build_optimiser(
    network: nn.Module, settings: FinetuneSettings, steps_per_epoch: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    from_scratch = settings.architecture == "vgg_small" and settings.initial in ("", "scratch")
    peak = settings.learning_rate or (1e-3 if from_scratch else 1e-4)
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=settings.weight_decay)
    total = settings.epochs * steps_per_epoch
    return optimiser, torch.optim.lr_scheduler.OneCycleLR(optimiser, peak, total_steps=total)


def _train_epoch(
    network: nn.Module,
    loader: "DataLoader[tuple[Tensor, int]]",
    optimiser: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    *,
    dropout: torch.Generator,
    smoothing: float,
) -> Iterator[float]:
    """Run one epoch, its dropout seeded; yield the mean loss so far after every step."""
    device = next(network.parameters()).device
    network.train()
    loss_sum = 0.0
    for step, (images, labels) in enumerate(loader, start=1):
        seed = int(torch.randint(2**62, (), generator=dropout))
        with (
            _fork_random_state(device, seed),
            torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"),
        ):
            logits = network(images.to(device))
            loss = nn.functional.cross_entropy(
                logits.float(), labels.to(device), label_smoothing=smoothing
            )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        loss_sum += float(loss.detach())
        if not math.isfinite(loss_sum):
            raise ExplorerError("The loss is no longer finite. Lower --learning-rate.")
        yield loss_sum / step


@contextlib.contextmanager
def _fork_random_state(device: torch.device, seed: int) -> Iterator[None]:
    """Set the global random state for a moment: layers have no generator of their own."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
