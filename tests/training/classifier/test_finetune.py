import errno
import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import SafetensorError
from torch import nn

from explorer.config import ExplorerError, Progress
from explorer.data.cub import CubDataset
from explorer.data.photo import Photo, load_photo
from explorer.data.splits import get_held_out
from explorer.nn.backbones.build import build_network, name_tensors
from explorer.nn.backbones.registry import get_architecture
from explorer.training.classifier import finetune as finetune_module
from explorer.training.classifier import frozen as frozen_module
from explorer.training.classifier import photos as photos_module
from explorer.training.classifier import run as run_module
from explorer.training.classifier import starts as starts_module
from explorer.training.classifier.finetune import finetune, shuffle_labels, split_validation
from explorer.training.classifier.photos import Accuracy, WholePhotos, measure_accuracy
from explorer.training.classifier.precision import Precision
from explorer.training.classifier.settings import FinetuneSettings
from explorer.workspace.layout import FINETUNING_FOLDER

Run = Callable[[Any], Any]
CPU = torch.device("cpu")
SHORT = FinetuneSettings(epochs=1, batch_size=20, precision="full")


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
    """One run of `finetune` and the order in which it loaded photos."""

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
    assert report["precision"] == "full", "the default of a CPU"
    assert len(report["history"]) == 2
    assert 0 <= report["test_accuracy"] <= 1
    assert report["validation_accuracy"] == max(
        epoch["validation_accuracy"] for epoch in report["history"]
    )
    assert outcome.backbone.categories == dataset.categories


def split_all(photos: Sequence[Photo], share: float, seed: int) -> tuple[list[Photo], list[Photo]]:
    """Split photos that all differ."""
    return split_validation(photos, np.array([p.image_id for p in photos]), share, seed)


def test_held_out_photos_are_used_once_at_the_end(
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
    _, validation = split_all(known, SHORT.validation_share, SHORT.seed)
    first_epoch = outcome.loaded[: outcome.loaded_by_step[2]]
    assert not {photo.image_id for photo in validation} & set(first_epoch)
    assert len(set(first_epoch)) == 12, "every training photo once"


def test_test_accuracy_is_reproducible(outcome: Outcome, held_out: tuple[Photo, ...]) -> None:
    backbone = outcome.backbone
    test = WholePhotos(held_out, backbone.architecture)
    measured = measure_accuracy(backbone.layers, test, Precision("full", CPU))
    assert measured.top1 == outcome.report["test_accuracy"]
    assert measured.top5 == outcome.report["test_top5"] >= measured.top1


@pytest.mark.parametrize("precision", ["full", "bfloat16"])
def test_the_same_network_however_pytorch_is_set(
    dataset: CubDataset, held_out: tuple[Photo, ...], precision: str
) -> None:
    expected = Outcome(dataset, held_out, precision=precision, batch_size=4)
    with torch.autocast("cpu", torch.float16), torch.no_grad():
        found = Outcome(dataset, held_out, precision=precision, batch_size=4)
    assert found.backbone.sha256 == expected.backbone.sha256


def test_half_precision_rounds_the_weights(outcome: Outcome, dataset: CubDataset) -> None:
    for parameter in outcome.backbone.layers.parameters():
        assert torch.equal(parameter, parameter.half().float())


def test_global_random_state_is_unchanged(outcome: Outcome) -> None:
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


def test_missing_initial_file_is_named(dataset: CubDataset, held_out: tuple[Photo, ...]) -> None:
    with pytest.raises(ExplorerError, match=r"no file nowhere\.pth"):
        Outcome(dataset, held_out, initial="nowhere.pth")


def test_loader_processes_do_not_change_the_result(
    outcome: Outcome, dataset: CubDataset, held_out: tuple[Photo, ...]
) -> None:
    same = Outcome(dataset, held_out, epochs=2, batch_size=4, half=True, workers=2)
    assert same.backbone.sha256 == outcome.backbone.sha256


def test_imagenet_weights_are_fetched_first(
    dataset: CubDataset, held_out: tuple[Photo, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched = []

    def fetch(architecture: str) -> Iterator[Progress]:
        fetched.append(architecture)
        yield Progress("Downloading", 1, 1)

    def load(architecture: str) -> dict[str, torch.Tensor]:
        assert fetched == [architecture]
        return build_network(architecture, 40, batch_norm=True).state_dict()

    monkeypatch.setattr(finetune_module, "fetch_imagenet_weights", fetch)
    monkeypatch.setattr(starts_module, "load_imagenet_weights", load)
    outcome = Outcome(dataset, held_out, initial="imagenet", stages="all=1")
    stages = list(dict.fromkeys(step.stage for step in outcome.progress))
    assert stages == ["Downloading", "Fine-tuning"]


def test_an_unknown_stage_is_named_before_anything_is_fetched(
    dataset: CubDataset, held_out: tuple[Photo, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetch(architecture: str) -> Iterator[Progress]:
        raise AssertionError(architecture)

    monkeypatch.setattr(finetune_module, "fetch_imagenet_weights", fetch)
    with pytest.raises(ExplorerError, match="no stage 'pool9' of this network"):
        Outcome(dataset, held_out, initial="imagenet", stages="pool9=1")


# Resuming an interrupted run


class Stopped:
    """A variant of `SHORT` that stops after some steps, like a killed process."""

    def __init__(self, dataset: CubDataset, held_out: tuple[Photo, ...], snapshot: Path) -> None:
        self.arguments = (dataset, held_out)
        self.snapshot = snapshot

    def run(self, steps: int | None = None, **changes: Any) -> tuple[Any, list[Progress]]:
        """Return the progress and, if the run finishes, the result."""
        settings = replace(SHORT, **changes)
        running, progress = finetune(*self.arguments, settings, CPU, self.snapshot), []
        while steps is None or len(progress) < steps:
            try:
                progress.append(next(running))
            except StopIteration as stop:
                return stop.value, progress
        running.close()
        return None, progress


@pytest.fixture
def stopped(dataset: CubDataset, held_out: tuple[Photo, ...], tmp_path: Path) -> Stopped:
    return Stopped(dataset, held_out, tmp_path / "finetuning.safetensors")


FOUR_EPOCHS: dict[str, Any] = {"epochs": 4, "batch_size": 4}  # of three steps each


@pytest.fixture(scope="module")
def uninterrupted(dataset: CubDataset, held_out: tuple[Photo, ...]) -> Outcome:
    return Outcome(dataset, held_out, **FOUR_EPOCHS)


def test_a_resumed_run_gives_the_same_network(stopped: Stopped, uninterrupted: Outcome) -> None:
    """It is interrupted during the second, the third and the fourth epoch."""
    for steps in (5, 5, 4):
        torch.manual_seed(steps)  # another process has another random state
        assert stopped.run(steps, **FOUR_EPOCHS)[0] is None
    assert stopped.snapshot.is_file()
    (backbone, report), progress = stopped.run(**FOUR_EPOCHS)
    assert [step.done for step in progress] == [10, 11, 12]
    assert "validation_accuracy" in progress[0].values
    assert backbone.sha256 == uninterrupted.backbone.sha256
    assert report == uninterrupted.report


def test_a_run_interrupted_during_testing_is_only_tested(
    stopped: Stopped, uninterrupted: Outcome
) -> None:
    stopped.run(**FOUR_EPOCHS)
    (backbone, report), progress = stopped.run(**FOUR_EPOCHS, workers=1)
    assert progress == []
    assert backbone.sha256 == uninterrupted.backbone.sha256
    assert report["history"] == uninterrupted.report["history"]


def test_the_best_epoch_survives_an_interruption(
    stopped: Stopped, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second epoch is the best, and the run is interrupted during the fourth."""
    original = finetune_module.measure_accuracy
    accuracies: list[float] = []

    def pretend(network: nn.Module, photos: Any, precision: Any) -> Accuracy:
        return original(network, photos, precision)._replace(top1=accuracies.pop(0))

    for module in (finetune_module, run_module):
        monkeypatch.setattr(module, "measure_accuracy", pretend)
    accuracies[:] = [0.5, 0.9, 0.1, 0.2, 0.7]
    (whole, _), _ = stopped.run(**FOUR_EPOCHS)
    stopped.snapshot.unlink()
    accuracies[:] = [0.5, 0.9, 0.1]
    stopped.run(11, **FOUR_EPOCHS)
    accuracies[:] = [0.2, 0.7]
    (resumed, report), _ = stopped.run(**FOUR_EPOCHS)
    assert resumed.sha256 == whole.sha256
    assert report["validation_accuracy"] == 0.9


def test_initial_weights_are_not_needed_to_resume(stopped: Stopped, tmp_path: Path) -> None:
    start = tmp_path / "start.pth"
    torch.save(build_network("vgg_small", 40, batch_norm=False).state_dict(), start)
    changes = {"initial": str(start), "stages": "all=2"}
    stopped.run(2, **changes)
    start.unlink()
    (backbone, _), _ = stopped.run(**changes)
    assert backbone.architecture == get_architecture("vgg_small")


def test_global_random_state_is_unchanged_by_resuming(stopped: Stopped) -> None:
    stopped.run(2, epochs=2)
    state = torch.random.get_rng_state()
    stopped.run(epochs=2)
    assert torch.equal(state, torch.random.get_rng_state())


def test_a_full_disk_costs_one_epoch_at_most(
    stopped: Stopped, uninterrupted: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped.run(5, **FOUR_EPOCHS)
    before = stopped.snapshot.read_bytes()

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="No space"):
            stopped.run(**FOUR_EPOCHS)
    assert stopped.snapshot.read_bytes() == before
    assert [path.name for path in stopped.snapshot.parent.iterdir()] == [stopped.snapshot.name]
    (backbone, _), _ = stopped.run(**FOUR_EPOCHS)
    assert backbone.sha256 == uninterrupted.backbone.sha256


def test_a_full_disk_in_safetensors_is_reported_as_such(
    stopped: Stopped, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped.run(2, epochs=2)
    before = stopped.snapshot.read_bytes()

    def fail(*_: object) -> None:
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("explorer.training.classifier.snapshots.save_file", fail)
    with pytest.raises(OSError, match=f"No space left on device: '{stopped.snapshot}'"):
        stopped.run(epochs=2)
    assert stopped.snapshot.read_bytes() == before


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"epochs": 3}, "with epochs 2, not 3"),
        ({"epochs": 2, "seed": 1}, "with seed 0, not 1"),
        ({"epochs": 2, "learning_rate": 0.5}, r"with learning rate 0\.0, not 0\.5"),
        ({"epochs": 2, "initial": "x.pth"}, "with initial '', not 'x.pth'"),
    ],
)
def test_a_run_with_other_settings_is_not_resumed(
    stopped: Stopped, changes: dict[str, Any], words: str
) -> None:
    stopped.run(2, epochs=2)
    before = stopped.snapshot.read_bytes()
    with pytest.raises(ExplorerError, match=rf"unfinished .* {words}.*same options.*--restart"):
        stopped.run(**changes)
    assert stopped.snapshot.read_bytes() == before


def test_a_run_on_other_photos_is_not_resumed(
    stopped: Stopped, dataset: CubDataset, held_out: tuple[Photo, ...]
) -> None:
    stopped.run(2, epochs=2)
    fewer = replace(dataset, photos=[p for p in dataset.photos if p is not dataset.photos[0]])
    assert dataset.photos[0] not in held_out
    stopped.arguments = (fewer, held_out)
    with pytest.raises(ExplorerError, match="on other photos"):
        stopped.run(epochs=2)


# Refusals


def test_validation_takes_a_share_of_every_category(painted_dataset: CubDataset) -> None:
    train, validation = split_all(painted_dataset.photos, 0.34, 0)
    assert not {p.image_id for p in train} & {p.image_id for p in validation}
    assert len(train) + len(validation) == len(painted_dataset.photos)
    counts = [photo.category for photo in validation]
    assert {counts.count(category) for category in painted_dataset.categories} == {2}
    assert split_all(painted_dataset.photos, 0.34, 0)[1] == validation
    assert split_all(painted_dataset.photos, 0.34, 1)[1] != validation
    few = split_all(painted_dataset.photos, 0.01, 0)[1]
    assert len(few) == len(painted_dataset.categories)


def test_identical_photos_are_for_training_or_for_validation(painted_dataset: CubDataset) -> None:
    photos = painted_dataset.photos
    pairs = [photo.image_id // 2 for photo in photos]
    train, validation = split_validation(photos, np.array(pairs), 0.34, 0)
    sides = [{photo.image_id // 2 for photo in side} for side in (train, validation)]
    assert not sides[0] & sides[1]
    assert {photo.category for photo in train} == set(painted_dataset.categories)
    assert {photo.category for photo in validation} == set(painted_dataset.categories)


def test_category_with_one_photo_cannot_be_trained(dataset: CubDataset) -> None:
    with pytest.raises(ExplorerError, match="fewer than two different photos"):
        split_all([dataset.photos[0], *dataset.photos[6:]], 0.1, 0)


def test_category_with_copies_of_one_photo_cannot_be_trained(dataset: CubDataset) -> None:
    contents = np.array([max(photo.image_id, 6) for photo in dataset.photos])
    with pytest.raises(ExplorerError, match="fewer than two different photos"):
        split_validation(dataset.photos, contents, 0.1, 0)


def test_a_large_share_leaves_something_to_train_on(dataset: CubDataset) -> None:
    with pytest.raises(ExplorerError, match="fewer than two different photos"):
        split_all(dataset.photos, 0.99, 0)


def test_category_without_training_photos_is_refused(dataset: CubDataset) -> None:
    with pytest.raises(ExplorerError, match="has no photo to train on"):
        Outcome(dataset, dataset.photos_of(dataset.categories[1]))


def test_diverging_training_ends_with_advice(
    dataset: CubDataset, held_out: tuple[Photo, ...]
) -> None:
    # The highest values allowed: every step multiplies weights by up to 99.
    settings = {"learning_rate": 10.0, "weight_decay": 10.0, "batch_size": 2, "epochs": 4}
    with pytest.raises(ExplorerError, match=r"no longer finite.*--learning-rate"):
        Outcome(dataset, held_out, **settings)


def test_shuffled_labels_keep_their_counts(dataset: CubDataset) -> None:
    shuffled = shuffle_labels(dataset.photos, seed=0)
    assert [photo.image_id for photo in shuffled] == [photo.image_id for photo in dataset.photos]
    pairs = [
        [(photo.category, photo.category_index) for photo in photos]
        for photos in (shuffled, dataset.photos)
    ]
    assert sorted(pairs[0]) == sorted(pairs[1])
    assert pairs[0] != pairs[1]
    assert shuffle_labels(dataset.photos, seed=1) != shuffled


def test_training_on_random_labels_keeps_the_last_epoch(
    dataset: CubDataset, held_out: tuple[Photo, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With random labels no epoch is better than another, so the last one is kept."""
    original = finetune_module.measure_accuracy
    accuracies = iter([1.0, 0.0, 0.0])

    def pretend(network: nn.Module, photos: Any, precision: Any) -> Accuracy:
        return original(network, photos, precision)._replace(top1=next(accuracies))

    for module in (finetune_module, run_module):
        monkeypatch.setattr(module, "measure_accuracy", pretend)
    outcome = Outcome(dataset, held_out, epochs=2, random_labels=True)
    assert outcome.report["settings"]["random_labels"]
    assert outcome.report["validation_accuracy"] == 0.0, (
        "that of the last epoch, although it is worse"
    )


# Stages with frozen layers


STAGED: dict[str, Any] = {
    "stages": "pool4=2,pool3=2,all=2",
    "epochs": 2,
    "views": 3,
    "batch_size": 4,
    "initial": "start.pth",
}


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, torch.Tensor]:
    """Write convolutions alone as initial weights; return them."""
    monkeypatch.chdir(tmp_path)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        state = build_network("vgg_small", 3, batch_norm=False).state_dict()
    convolutions = {name: t for name, t in state.items() if name.startswith("features")}
    torch.save(convolutions, tmp_path / "start.pth")
    return convolutions


@pytest.fixture
def staged(
    dataset: CubDataset,
    held_out: tuple[Photo, ...],
    tmp_path: Path,
    start: dict[str, torch.Tensor],
) -> Stopped:
    return Stopped(dataset, held_out, tmp_path / "finetuning.safetensors")


def test_stages_train_from_the_top_down(
    staged: Stopped, start: dict[str, torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    accuracies = iter([0.1, 0.2, 0.3, 0.0])
    for module in (finetune_module, run_module):
        monkeypatch.setattr(
            module, "measure_accuracy", lambda *_: Accuracy(next(accuracies), 1.0, 1.0)
        )
    (backbone, report), progress = staged.run(**STAGED | {"stages": "pool4=2,pool3=1"})
    labels = list(dict.fromkeys(step.stage for step in progress))
    assert labels == [
        "Computing the output of frozen layers",
        "Fine-tuning layers above pool4, stage 1 of 2",
        "Fine-tuning layers above pool3, stage 2 of 2",
    ]
    assert report["fresh_layers"] == ["classifier.0", "classifier.3", "classifier.6"]
    assert [stage["epochs"] for stage in report["stages"]] == [2, 1]
    assert len(report["history"]) == 3
    trained = {
        name
        for name, tensor in name_tensors("vgg_small", backbone.layers).items()
        if name in start and not torch.equal(tensor, start[name])
    }
    assert all(name in trained for name in list(start)[-4:]), "the block above pool3"
    assert not trained & set(list(start)[:8]), "frozen to the end"


def test_frozen_layers_are_computed_once(staged: Stopped, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[int] = []

    def load(photo: Photo) -> np.ndarray:
        loaded.append(photo.image_id)
        return load_photo(photo)

    monkeypatch.setattr(frozen_module, "load_photo", load)
    staged.run(**STAGED | {"stages": "pool4=3,pool3=3"})
    assert len(loaded) == 3 * 12 + 3, "three views of each training photo, and the validation ones"


@pytest.mark.parametrize("gigabytes", [8.0, 1e-3])
@pytest.mark.parametrize("steps", [1, 3, 6, 9, 12, 15, 17])
def test_a_staged_run_that_is_killed_gives_the_same_network(
    staged: Stopped, monkeypatch: pytest.MonkeyPatch, steps: int, gigabytes: float
) -> None:
    monkeypatch.setattr(frozen_module, "_BATCH_SIZE", 20)
    settings = STAGED | {"cache_gigabytes": gigabytes}
    (whole, report), progress = staged.run(**settings)
    staged.snapshot.unlink()
    assert staged.run(steps, **settings)[0] is None
    (resumed, again), rest = staged.run(**settings)
    assert resumed.sha256 == whole.sha256
    assert again == report
    assert len(rest) < len(progress) + 1
    if steps > 5:
        assert rest[0].stage.startswith("Fine-tuning"), "outputs are not computed again"


def test_outputs_are_removed_before_all_layers_are_trained(staged: Stopped) -> None:
    folder = staged.snapshot.with_name(FINETUNING_FOLDER)
    staged.run(4, **STAGED)
    assert sum(file.stat().st_size for file in folder.iterdir()) > 1000
    staged.run(**STAGED)
    assert not folder.exists()


def test_output_that_does_not_fit_is_computed_for_each_batch(
    staged: Stopped, start: dict[str, torch.Tensor]
) -> None:
    """A megabyte has room for two views above pool4, but not for those above pool3."""
    few = STAGED | {"stages": "pool4=1,pool3=2", "cache_gigabytes": 1e-3}
    (backbone, _), progress = staged.run(**few)
    computing = [step for step in progress if step.stage.startswith("Computing")]
    assert computing[-1].total == 2 * 12 + 3
    assert not staged.snapshot.with_name(FINETUNING_FOLDER).exists()
    weights = backbone.layers.state_dict()
    untrained = [any(torch.equal(w, own) for own in weights.values()) for w in start.values()]
    assert untrained == [True] * 8 + [False] * (len(start) - 8), "frozen up to pool3"


@pytest.mark.slow
@pytest.mark.skipif(
    os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") < 8e9, reason="needs 8 GB of memory"
)
def test_vgg19_learns_from_real_photos(real_cub: CubDataset, tmp_path: Path) -> None:
    """Three steps from random weights, at 224 x 224; takes some 5 GB of memory."""
    kept = real_cub.categories[:2]
    photos: list[Photo] = []
    for category in kept:
        for is_training, count in ((True, 4), (False, 1)):
            side = [p for p in real_cub.photos_of(category) if p.is_training == is_training]
            photos += side[:count]
    dataset = replace(real_cub, categories=kept, photos=tuple(photos))
    settings = FinetuneSettings("vgg19", initial="scratch", epochs=1, batch_size=2)
    snapshot = tmp_path / "finetuning.safetensors"
    held_out = get_held_out(dataset, "official")
    steps, progress = finetune(dataset, held_out, settings, CPU, snapshot), []
    while True:
        try:
            progress.append(next(steps))
        except StopIteration as stop:
            backbone, report = stop.value
            break
    assert [step.done for step in progress] == [1, 2, 3]
    assert all(0 < step.values["loss"] < 50 for step in progress)
    assert report["photos"] == {"train": 6, "validation": 2, "test": 2}
    assert (backbone.z_size, backbone.architecture.name) == (4096, "vgg19")
    images = torch.zeros(1, 3, 224, 224)
    z, logits = backbone.compute_features(images)
    assert (z.shape, logits.shape) == ((1, 4096), (1, 2))
    assert z.min() >= 0
    assert snapshot.stat().st_size > 3 * sum(t.numel() for t in backbone.layers.parameters()) * 4
