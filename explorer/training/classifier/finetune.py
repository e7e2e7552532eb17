"""Fine-tuning a classifier on a CUB data set, as a generator of progress records."""

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import asdict, replace
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import Dataset

from explorer.config import ExplorerError, Progress
from explorer.data.cub import CubDataset
from explorer.data.photo import Photo
from explorer.nn.arithmetic import train_in_fixed_arithmetic
from explorer.nn.backbones.backbone import Backbone
from explorer.nn.backbones.build import (
    build_without_weights,
    flatten_network,
)
from explorer.nn.backbones.imagenet import fetch_imagenet_weights
from explorer.nn.backbones.registry import get_architecture, get_family
from explorer.nn.backbones.residual import list_layers
from explorer.nn.checkpoint import round_to_half
from explorer.training.classifier.centring import centre_scores
from explorer.training.classifier.photos import Accuracy, WholePhotos, measure_accuracy
from explorer.training.classifier.precision import Precision
from explorer.training.classifier.run import FinetuneRun
from explorer.training.classifier.scale import normalise_scale
from explorer.training.classifier.settings import IMAGENET, FinetuneSettings
from explorer.training.classifier.snapshots import (
    describe_run,
    load_snapshot,
    save_snapshot,
)
from explorer.training.classifier.stage_photos import StagePhotos
from explorer.training.classifier.stages import Stage, choose_stages
from explorer.training.classifier.starts import build_start

_MIN_VALIDATION_PHOTOS = 1
_PHOTOS_FOR_SCALE = 32


@train_in_fixed_arithmetic
def finetune(
    dataset: CubDataset,
    held_out: Sequence[Photo],
    settings: FinetuneSettings,
    device: torch.device,
    snapshot: Path | None = None,
) -> Generator[Progress, None, tuple[Backbone, dict[str, Any]]]:
    """Train a classifier for the categories of `dataset`.

    The best epoch is chosen by its accuracy on part of the training photos, with ties broken by the
    loss. `held_out` is used only once, at the end.

    Parameters
    ----------
    dataset : CubDataset
        The data set.
    held_out : sequence of Photo
        Photos that are not trained on.
    settings : FinetuneSettings
        Settings of the training.
    device : torch.device
        Device to train on.
    snapshot : Path, optional
        File that is written after every epoch. If it exists, training continues from it, with the
        same result as without the interruption. The output of frozen layers is kept in
        `FINETUNING_FOLDER` next to it. The caller removes both in the end.

    Yields
    ------
    Progress
        With the running loss and, after an epoch, the validation accuracy. Missing ImageNet weights
        are downloaded first.

    Returns
    -------
    backbone : Backbone
        On the CPU, with batch norm folded and centred scores.
    report : dict
        Settings, history per epoch, and accuracy on validation photos and on `held_out`.

    Raises
    ------
    ExplorerError
        When there are too few photos, the initial weights are not available or do not fit, the
        snapshot belongs to another run, or the loss is no longer finite.
    """
    training, validation = _split_photos(dataset, held_out, settings)
    description = describe_run(settings, dataset.categories, training, validation)
    saved = None
    if snapshot is not None and snapshot.is_file():
        saved = load_snapshot(snapshot, description)
        run = FinetuneRun(saved.build_start(settings.architecture), settings, device)
    else:
        if settings.start == IMAGENET:
            choose_stages(settings, _list_untrained_layers(settings), device)  # names mistakes
            yield from fetch_imagenet_weights(settings.architecture)
        run = FinetuneRun(build_start(settings, len(dataset.categories)), settings, device)
        _prepare_for_fresh_layers(run, training, settings)
    stages = choose_stages(settings, run.layers, device)
    source = StagePhotos(training, validation, settings, stages, snapshot)

    def save() -> None:
        if snapshot is not None:
            save_snapshot(snapshot, run, description)

    first = 0 if saved is None else saved.get_stage(len(stages))
    for number, stage in enumerate(stages[first:], start=first):
        photos, whole = yield from source.prepare(run, number)
        if number > first:
            run.restore_best()
        run.begin_stage(number, stage, photos)
        if number > first:
            save()  # before the output of frozen layers is removed
        elif saved is not None:
            saved.restore(run)
        source.remove_unused(photos)
        yield from _train_stage(run, stages, whole, save)
    run.restore_best()
    layers = flatten_network(run.network)
    centre_scores(layers)
    if settings.half:
        round_to_half(layers)
    test = _test(layers, held_out, settings, device)
    report = {
        "settings": asdict(settings),
        "precision": run.precision.name,
        "stages": [asdict(stage) for stage in stages],
        "fresh_layers": list(run.fresh),
        "initial_notes": list(run.notes),
        "history": run.history,
        "photos": {"train": len(training), "validation": len(validation), "test": len(held_out)},
        "validation_accuracy": run.best_accuracy,
        "test_accuracy": test.top1,
        "test_top5": test.top5,
    }
    z_layer = get_family(settings.architecture).z_layer
    architecture = get_architecture(settings.architecture)
    return Backbone(architecture, layers.cpu(), dataset.categories, z_layer), report


def _list_untrained_layers(settings: FinetuneSettings) -> list[nn.Module]:
    """List the layers of a network without weights, from pixels to logits."""
    return list(list_layers(build_without_weights(settings.architecture, 1, batch_norm=False)))


def _prepare_for_fresh_layers(
    run: FinetuneRun, training: Sequence[Photo], settings: FinetuneSettings
) -> None:
    """Scale the trained layers of a new run, as measured on a few photos."""
    if not run.fresh:
        return
    first = run.network.get_submodule(run.fresh[0])
    trained = list(takewhile(lambda layer: layer is not first, run.layers))
    some = training[:: max(1, len(training) // _PHOTOS_FOR_SCALE)][:_PHOTOS_FOR_SCALE]
    whole = WholePhotos(some, get_architecture(settings.architecture))
    images = torch.stack([whole[index][0] for index in range(len(whole))]).to(run.precision.device)
    with run.precision.autocast():
        normalise_scale(trained, run.precision.arrange_images(images))


def _test(
    layers: nn.Sequential, photos: Sequence[Photo], settings: FinetuneSettings, device: torch.device
) -> Accuracy:
    """Measure the accuracy on held-out photos, in full precision."""
    full = Precision("full", device)
    whole = WholePhotos(photos, get_architecture(settings.architecture))
    return measure_accuracy(full.arrange(layers), whole, full)


def _train_stage(
    run: FinetuneRun,
    stages: Sequence[Stage],
    validation: Dataset[tuple[Tensor, int]],
    save: Callable[[], None],
) -> Iterator[Progress]:
    """Train until the end of the current stage; save the run after each epoch."""
    before = sum(stage.epochs for stage in stages[: run.stage])
    stage = stages[run.stage]
    label = "Fine-tuning"
    if len(stages) > 1:
        label += f" {stage}, stage {run.stage + 1} of {len(stages)}"
    while (epoch := run.epoch - before) < stage.epochs:
        done, mean_loss = epoch * run.steps_per_epoch, 0.0
        for step, mean_loss in enumerate(run.train_epoch(), start=1):
            values = {"loss": mean_loss} | (run.history[-1] if run.history else {})
            yield Progress(label, done + step, stage.epochs * run.steps_per_epoch, values)
        run.finish_epoch(mean_loss, run.measure(validation))
        save()


def _split_photos(
    dataset: CubDataset, held_out: Sequence[Photo], settings: FinetuneSettings
) -> tuple[list[Photo], list[Photo]]:
    """Return the photos to train on, and those to choose the best epoch with."""
    held_out_ids = {photo.image_id for photo in held_out}
    known = [photo for photo in dataset.photos if photo.image_id not in held_out_ids]
    # A subset may have the full classes.txt. Categories without photos are simply not learnt.
    untrained = sorted({photo.category for photo in held_out} - {photo.category for photo in known})
    if untrained:
        raise ExplorerError(f"{untrained[0]} has no photo to train on. Hold out fewer photos.")
    if settings.random_labels:
        known = shuffle_labels(known, settings.seed)
    contents = dataset.label_contents(photo.image_id for photo in known)
    return split_validation(known, contents, settings.validation_share, settings.seed)


def shuffle_labels(photos: Sequence[Photo], seed: int) -> list[Photo]:
    """Permute the labels of the photos at random."""
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
    photos: Sequence[Photo], contents: NDArray[np.int64], share: float, seed: int
) -> tuple[list[Photo], list[Photo]]:
    """Split off a share of each category's photos, at least one, for choosing the best epoch.

    Photos with the same number in `contents`, (M,), are identical and stay together.
    """
    rng = np.random.default_rng(seed)
    categories = np.array([photo.category for photo in photos])
    chosen: set[int] = set()
    for category in sorted(set(categories.tolist())):
        different = list(dict.fromkeys(contents[categories == category].tolist()))
        count = max(_MIN_VALIDATION_PHOTOS, round(share * len(different)))
        chosen |= set(map(int, rng.choice(different, size=count, replace=False)))
    is_chosen = np.isin(contents, list(chosen))
    untrained = sorted(set(categories.tolist()) - set(categories[~is_chosen].tolist()))
    if untrained:
        raise ExplorerError(f"{untrained[0]} has fewer than two different photos to train on.")
    train = [photo for photo, is_held in zip(photos, is_chosen, strict=True) if not is_held]
    return train, [photo for photo, is_held in zip(photos, is_chosen, strict=True) if is_held]
