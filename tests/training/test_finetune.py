import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from explorer.config import ExplorerError, Progress
from explorer.data.cub import CubDataset, Photo, load_photo
from explorer.data.splits import get_held_out
from explorer.nn.vgg import build_network
from explorer.training import finetune as finetune_module
from explorer.training import photos as photos_module
from explorer.training.finetune import (
    FinetuneSettings,
    build_initial_network,
    finetune,
    shuffle_labels,
    split_validation,
)
from explorer.training.photos import measure_accuracy

Run = Callable[[Any], Any]
CPU = torch.device("cpu")
SHORT = FinetuneSettings(epochs=1, batch_size=20)


@pytest.fixture(scope="module")
def dataset(painted_dataset: CubDataset) -> CubDataset:
    """Return the first three categories: 18 photos."""
    kept = painted_dataset.categories[:3]
    photos = tuple(photo for photo in painted_dataset.photos if photo.category in kept)
    return replace(painted_dataset, categories=kept, photos=photos)


@pytest.fixture(scope="module")
def held_out(dataset: CubDataset) -> tuple[Photo, ...]:
    return get_held_out(dataset, "official")


class Outcome:
    """One run of `finetune`, with what it read and when."""

    def __init__(self, dataset: CubDataset, held_out: tuple[Photo, ...], **changes: Any) -> None:
        self.loaded: list[int] = []
        self.loaded_by_step: list[int] = []
        self.progress: list[Progress] = []
        self.state_before = torch.random.get_rng_state()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(photos_module, "load_photo", self._load)
            steps = finetune(dataset, held_out, replace(SHORT, **changes), CPU)
            while True:
                try:
                    self.progress.append(next(steps))
                    self.loaded_by_step.append(len(self.loaded))
                except StopIteration as stop:
                    self.backbone, self.report = stop.value
                    break
        self.state_after = torch.random.get_rng_state()

    def _load(self, photo: Photo) -> np.ndarray:
        self.loaded.append(photo.image_id)
        return load_photo(photo)


@pytest.fixture(scope="module")
def outcome(dataset: CubDataset, held_out: tuple[Photo, ...]) -> Outcome:
    """Return a run of two epochs of three steps, rounded to half precision."""
    return Outcome(dataset, held_out, epochs=2, batch_size=4, half=True)


def test_progress_counts_steps_to_the_end(outcome: Outcome) -> None:
    assert [step.done for step in outcome.progress] == [1, 2, 3, 4, 5, 6]
    assert {step.total for step in outcome.progress} == {6}
    assert all(math.isfinite(step.values["loss"]) for step in outcome.progress)
    assert "validation_accuracy" not in outcome.progress[0].values
    assert "validation_accuracy" in outcome.progress[-1].values


def test_report_says_what_was_done(outcome: Outcome, dataset: CubDataset) -> None:
    report = outcome.report
    assert report["photos"] == {"train": 12, "validation": 3, "test": 3}
    assert report["settings"]["epochs"] == 2
    assert report["settings"]["seed"] == 0
    assert len(report["history"]) == 2
    assert 0 <= report["test_accuracy"] <= 1
    assert report["validation_accuracy"] == max(
        epoch["validation_accuracy"] for epoch in report["history"]
    )
    assert outcome.backbone.categories == dataset.categories


def test_held_out_photos_are_looked_at_once_at_the_end(
    outcome: Outcome, held_out: tuple[Photo, ...]
) -> None:
    held = {photo.image_id for photo in held_out}
    last = outcome.loaded_by_step[-1]
    assert not held & set(outcome.loaded[:last])
    after = outcome.loaded[last:]
    assert sorted(image_id for image_id in after if image_id in held) == sorted(held)
    assert set(after[-len(held) :]) == held


def test_validation_photos_are_not_trained_on(
    outcome: Outcome, dataset: CubDataset, held_out: tuple[Photo, ...]
) -> None:
    known = [photo for photo in dataset.photos if photo not in held_out]
    _, validation = split_validation(known, SHORT.validation_share, SHORT.seed)
    first_epoch = outcome.loaded[: outcome.loaded_by_step[2]]
    assert not {photo.image_id for photo in validation} & set(first_epoch)
    assert len(set(first_epoch)) == 12, "every training photo once"


def test_test_accuracy_can_be_measured_again(outcome: Outcome, held_out: tuple[Photo, ...]) -> None:
    backbone = outcome.backbone
    accuracy, _ = measure_accuracy(backbone.layers, held_out, backbone.architecture)
    assert accuracy == outcome.report["test_accuracy"]


def test_half_rounds_the_weights(outcome: Outcome, dataset: CubDataset) -> None:
    for parameter in outcome.backbone.layers.parameters():
        assert torch.equal(parameter, parameter.half().float())


def test_global_random_state_is_left_alone(outcome: Outcome) -> None:
    assert torch.equal(outcome.state_before, outcome.state_after)


def test_same_seed_gives_the_same_network(
    outcome: Outcome, dataset: CubDataset, held_out: tuple[Photo, ...]
) -> None:
    torch.manual_seed(123)  # dropout must not depend on it
    same = Outcome(dataset, held_out, epochs=2, batch_size=4, half=True)
    assert same.backbone.sha256 == outcome.backbone.sha256
    assert same.report == outcome.report
    other = Outcome(dataset, held_out, epochs=1, seed=1)
    assert other.report["history"][0] != outcome.report["history"][0]
    assert other.backbone.sha256 != outcome.backbone.sha256


def test_initial_network_can_come_from_a_file(
    tmp_path: Path, dataset: CubDataset, held_out: tuple[Photo, ...]
) -> None:
    network = build_network("vgg_small", 40, batch_norm=True)
    torch.save(network.state_dict(), tmp_path / "start.pth")
    settings = replace(SHORT, initial=str(tmp_path / "start.pth"))
    state = torch.random.get_rng_state()
    start = build_initial_network(settings, 3)
    assert torch.equal(state, torch.random.get_rng_state())
    assert start.classifier[-1].out_features == 3
    assert torch.equal(start.classifier[3].weight, network.classifier[3].weight)
    assert torch.equal(start.features[1].running_var, network.features[1].running_var)
    again = build_initial_network(settings, 3)
    assert torch.equal(start.classifier[-1].weight, again.classifier[-1].weight)
    kept = build_initial_network(settings, 40)
    assert torch.equal(kept.classifier[-1].weight, network.classifier[-1].weight)
    result = Outcome(dataset, held_out, initial=str(tmp_path / "start.pth"), epochs=1)
    assert result.report["settings"]["initial"].endswith("start.pth")
    assert all(parameter.requires_grad for parameter in start.parameters())


def test_building_from_scratch_is_seeded_and_leaves_the_global_state_alone() -> None:
    state = torch.random.get_rng_state()
    one, same = (build_initial_network(SHORT, 3) for _ in range(2))
    other = build_initial_network(replace(SHORT, seed=1), 3)
    assert torch.equal(state, torch.random.get_rng_state())
    assert torch.equal(one.features[0].weight, same.features[0].weight)
    assert not torch.equal(one.features[0].weight, other.features[0].weight)
    assert any(isinstance(layer, nn.BatchNorm2d) for layer in one.features)


def test_missing_initial_file_is_named(dataset: CubDataset, held_out: tuple[Photo, ...]) -> None:
    with pytest.raises(ExplorerError, match=r"no file nowhere\.pth"):
        Outcome(dataset, held_out, initial="nowhere.pth")


def test_validation_takes_a_share_of_every_category(painted_dataset: CubDataset) -> None:
    train, validation = split_validation(painted_dataset.photos, 0.34, 0)
    assert not {p.image_id for p in train} & {p.image_id for p in validation}
    assert len(train) + len(validation) == len(painted_dataset.photos)
    counts = [photo.category for photo in validation]
    assert {counts.count(category) for category in painted_dataset.categories} == {2}
    assert split_validation(painted_dataset.photos, 0.34, 0)[1] == validation
    assert split_validation(painted_dataset.photos, 0.34, 1)[1] != validation
    few = split_validation(painted_dataset.photos, 0.01, 0)[1]
    assert len(few) == len(painted_dataset.categories)


def test_category_with_one_photo_cannot_be_trained(dataset: CubDataset) -> None:
    with pytest.raises(ExplorerError, match="fewer than two photos"):
        split_validation([dataset.photos[0], *dataset.photos[6:]], 0.1, 0)


def test_category_without_training_photos_is_refused(dataset: CubDataset) -> None:
    with pytest.raises(ExplorerError, match=r"no photo to train with"):
        Outcome(dataset, dataset.photos_of(dataset.categories[1]))


def test_diverging_training_ends_with_advice(
    dataset: CubDataset, held_out: tuple[Photo, ...]
) -> None:
    with pytest.raises(ExplorerError, match=r"no longer finite.*--learning-rate"):
        Outcome(dataset, held_out, learning_rate=1e30, epochs=4)


@pytest.mark.parametrize(
    "change",
    [
        {"epochs": 0},
        {"batch_size": 1},
        {"validation_share": 0.0},
        {"validation_share": 1.0},
        {"learning_rate": -1e-3},
        {"learning_rate": float("nan")},
        {"weight_decay": -1.0},
        {"label_smoothing": 1.0},
        {"label_smoothing": -0.1},
        {"seed": -1},
        {"workers": -1},
    ],
)
def test_impossible_settings_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ExplorerError):
        FinetuneSettings(**change)


def test_shuffled_labels_keep_their_counts_and_mean_nothing(dataset: CubDataset) -> None:
    shuffled = shuffle_labels(dataset.photos, seed=0)
    assert [photo.image_id for photo in shuffled] == [photo.image_id for photo in dataset.photos]
    pairs = [
        [(photo.category, photo.category_index) for photo in photos]
        for photos in (shuffled, dataset.photos)
    ]
    assert sorted(pairs[0]) == sorted(pairs[1])
    assert pairs[0] != pairs[1]
    assert shuffle_labels(dataset.photos, seed=1) != shuffled


def test_random_labels_are_learnt_to_the_last_epoch(
    dataset: CubDataset, held_out: tuple[Photo, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No epoch is better than another when labels mean nothing: what is learnt by heart stays."""
    original = finetune_module.measure_accuracy
    accuracies = iter([1.0, 0.0, 0.0])

    def pretend(network: nn.Module, photos: Any, architecture: Any) -> tuple[float, float]:
        return next(accuracies), original(network, photos, architecture)[1]

    monkeypatch.setattr(finetune_module, "measure_accuracy", pretend)
    outcome = Outcome(dataset, held_out, epochs=2, random_labels=True)
    assert outcome.report["settings"]["random_labels"]
    assert outcome.report["validation_accuracy"] == 0.0, "the last epoch's, though it is worse"
