import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from explorer.config import ExplorerError
from explorer.data.cub import CubDataset
from explorer.nn.backbones.build import build_network
from explorer.nn.backbones.registry import get_architecture
from explorer.training.classifier.photos import Accuracy, TrainingPhotos
from explorer.training.classifier.run import FinetuneRun
from explorer.training.classifier.settings import FinetuneSettings
from explorer.training.classifier.snapshots import (
    Snapshot,
    describe_run,
    load_snapshot,
    save_snapshot,
)
from explorer.training.classifier.stages import ALL, Stage
from explorer.training.classifier.starts import Start

CPU = torch.device("cpu")
SETTINGS = FinetuneSettings(initial="any.pth", epochs=4, batch_size=5, precision="full")
DESCRIPTION = {"epochs": 4, "photos": "abc"}


class FewPhotos(TrainingPhotos):
    """Ten pictures of noise, 8 pixels wide, of two categories."""

    def __init__(self) -> None:
        super().__init__([], get_architecture("vgg_small"), SETTINGS.augment, 0)

    def __len__(self) -> int:
        return 10

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        generator = torch.Generator().manual_seed(100 * self.epoch + index)
        return torch.randn(3, 8, 8, generator=generator) + index % 2, index % 2


def make_network() -> nn.Module:
    """Return a small network with batch norm and dropout."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        features = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
        head = nn.Sequential(nn.Linear(16, 8), nn.ReLU(), nn.Dropout(), nn.Linear(8, 2))
        return nn.Sequential(features, nn.AdaptiveAvgPool2d(2), nn.Flatten(), head)


def begin(settings: FinetuneSettings = SETTINGS) -> FinetuneRun:
    return begin_with(("3.3",), settings)


def begin_with(fresh: tuple[str, ...], settings: FinetuneSettings = SETTINGS) -> FinetuneRun:
    run = FinetuneRun(Start(make_network(), fresh), settings, CPU)
    run.begin_stage(0, Stage(ALL, 0, settings.epochs, settings.peak_rate), FewPhotos())
    return run


def train(run: FinetuneRun, accuracies: Sequence[float]) -> None:
    for accuracy in accuracies:
        *_, loss = run.train_epoch()
        run.finish_epoch(loss, Accuracy(accuracy, 1.0, 1.0))


def check_equal(one: FinetuneRun, other: FinetuneRun) -> None:
    """Check that the stored states of two runs are bit-identical."""
    (tensors, values), (others, other_values) = one.dump(), other.dump()
    assert set(tensors) == set(others)
    for name, tensor in tensors.items():
        assert torch.equal(tensor, others[name]), name
    assert json.dumps(values) == json.dumps(other_values)


@pytest.mark.parametrize("precision", ["full", "bfloat16", "float16"])
@pytest.mark.parametrize("accuracies", [(0.1, 0.2, 0.3, 0.4), (0.1, 0.4, 0.3, 0.2)])
def test_a_restored_run_continues_bit_for_bit(
    tmp_path: Path, precision: str, accuracies: tuple[float, ...]
) -> None:
    settings = replace(SETTINGS, precision=precision)
    whole, first, second = (begin(settings) for _ in range(3))
    train(whole, accuracies)
    train(first, accuracies[:3])
    save_snapshot(tmp_path / "a.safetensors", first, DESCRIPTION)
    load_snapshot(tmp_path / "a.safetensors", DESCRIPTION).restore(second)
    check_equal(first, second)
    train(second, accuracies[3:])
    check_equal(whole, second)
    whole.restore_best()
    second.restore_best()
    check_equal(whole, second)
    assert second.best_accuracy == 0.4


def test_the_best_weights_are_not_stored_twice(tmp_path: Path) -> None:
    path, run = tmp_path / "a.safetensors", begin()
    train(run, [0.5])
    save_snapshot(path, run, DESCRIPTION)
    assert not any(name.startswith("best.") for name in load_file(path))
    train(run, [0.4])
    save_snapshot(path, run, DESCRIPTION)
    assert any(name.startswith("best.") for name in load_file(path))


def test_the_file_contains_only_tensors_and_json(tmp_path: Path) -> None:
    path, run = tmp_path / "a.safetensors", begin()
    train(run, [0.5])
    save_snapshot(path, run, DESCRIPTION)
    with safe_open(path, framework="pt") as file:
        (header,) = file.metadata().values()
    assert json.loads(header)["description"] == DESCRIPTION
    dtypes = {name: tensor.dtype for name, tensor in load_file(path).items()}
    assert dtypes["network.0.1.num_batches_tracked"] == torch.int64
    assert dtypes["random.order"] == dtypes["random.dropout"] == torch.uint8
    assert dtypes["optimiser.0.exp_avg"] == torch.float32


def test_a_new_last_layer_has_a_higher_learning_rate() -> None:
    fresh = begin()
    known = begin_with(())
    for run, factor in ((fresh, 10), (known, 1)):
        rates = []
        for _ in range(SETTINGS.epochs):
            for _ in run.train_epoch():
                groups = run.dump()[1]["optimiser"]
                rates.append([group["lr"] for group in groups])
            run.finish_epoch(1.0, Accuracy(0.5, 1.0, 1.0))
        rest, head = map(list, zip(*rates, strict=True))
        assert head == pytest.approx([factor * rate for rate in rest])
        assert 5e-5 < max(rest) <= 1e-4
        assert [len(group["params"]) for group in groups] == [6, 2]


def test_the_learning_rate_follows_half_cosines() -> None:
    run = begin(replace(SETTINGS, epochs=50, warm_up=0.2, learning_rate=1.0, head_factor=1.0))
    rates = [run.dump()[1]["optimiser"][0]["lr"]]
    for _ in range(50):
        rates += [run.dump()[1]["optimiser"][0]["lr"] for _ in run.train_epoch()][:-1]
        rates.append(run.dump()[1]["optimiser"][0]["lr"])
        run.finish_epoch(1.0, Accuracy(0.5, 1.0, 1.0))
    peak = max(range(len(rates)), key=rates.__getitem__)
    assert peak == 19, "a fifth of a hundred steps"
    assert rates[peak] == pytest.approx(1)
    assert rates[0] == pytest.approx(1 / 25)
    assert rates[(peak + 99) // 2] == pytest.approx(0.5, abs=0.02)
    assert rates[99] < 1e-4


def spoil(path: Path, kind: str) -> None:
    if kind in ("cut", "foreign"):
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 2] if kind == "cut" else b"no tensors" * 50)
        return
    tensors = load_file(path)
    with safe_open(path, framework="pt") as file:
        ((key, text),) = file.metadata().items()
    header = json.loads(text)
    if kind == "tensor gone":
        del tensors["random.order"]
    elif kind == "shape":
        tensors["network.features.0.weight"] = torch.zeros(2, 2)
    elif kind == "state of the optimiser":
        tensors = {n: t for n, t in tensors.items() if not n.startswith("optimiser.")}
        header["values"]["optimiser"] = header["values"]["optimiser"][:1]
    elif kind == "value gone":
        del header["values"]["history"]
    else:
        header = []
    save_file(tensors, path, {key: json.dumps(header)})


@pytest.mark.parametrize(
    "kind",
    ["cut", "foreign", "tensor gone", "shape", "state of the optimiser", "value gone", "header"],
)
def test_a_damaged_file_is_refused_with_advice(tmp_path: Path, kind: str) -> None:
    path, run = tmp_path / "a.safetensors", begin()
    train(run, [0.5])
    save_snapshot(path, run, DESCRIPTION)
    spoil(path, kind)
    with pytest.raises(ExplorerError, match=r"a\.safetensors.* is damaged .*--restart"):
        load_snapshot(path, DESCRIPTION).restore(begin())


def test_a_file_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path, run = tmp_path / "a.safetensors", begin()
    train(run, [0.5])
    save_snapshot(path, run, DESCRIPTION)
    with safe_open(path, framework="pt") as file:
        ((key, text),) = file.metadata().items()
    save_file(load_file(path), path, {key: json.dumps({**json.loads(text), "format": 99})})
    with pytest.raises(ExplorerError, match="newer version"):
        load_snapshot(path, DESCRIPTION)


def test_a_network_that_does_not_fit_its_architecture_is_refused(tmp_path: Path) -> None:
    state = build_network("vgg_small", 3, batch_norm=True).state_dict()
    tensors = {f"network.{name}": tensor for name, tensor in state.items()}
    start = Snapshot(tmp_path, tensors, {"fresh": []}).build_start("vgg_small")
    assert torch.equal(start.network.features[0].weight, state["features.0.weight"])
    del tensors["network.features.0.weight"]
    with pytest.raises(ExplorerError, match=r"damaged.*'features\.0\.weight'.*--restart"):
        Snapshot(tmp_path, tensors, {"fresh": []}).build_start("vgg_small")


def test_settings_without_effect_on_training_are_not_in_the_description(
    painted_dataset: CubDataset,
) -> None:
    photos, categories = painted_dataset.photos, painted_dataset.categories
    usual = describe_run(SETTINGS, categories, photos[:9], photos[9:12])
    same = replace(SETTINGS, workers=3, half=True)
    assert describe_run(same, categories, photos[:9], photos[9:12]) == usual
    assert json.loads(json.dumps(usual)) == usual
    others = [
        describe_run(replace(SETTINGS, seed=1), categories, photos[:9], photos[9:12]),
        describe_run(SETTINGS, categories[1:], photos[:9], photos[9:12]),
        describe_run(SETTINGS, categories, photos[:8], photos[9:12]),
        describe_run(SETTINGS, categories, photos[:9], photos[9:11]),
    ]
    assert all(other != usual for other in others)


@pytest.mark.parametrize("values", [{}, {"stage": 3}, {"stage": -1}, {"stage": "0"}, {"stage": []}])
def test_a_stage_that_the_run_does_not_have_is_damage(values: dict[str, Any]) -> None:
    snapshot = Snapshot(Path("a.safetensors"), {}, values)
    with pytest.raises(ExplorerError, match=r"a\.safetensors, .* is damaged .*--restart"):
        snapshot.get_stage(3)
    assert Snapshot(Path("a.safetensors"), {}, {"stage": 2}).get_stage(3) == 2
