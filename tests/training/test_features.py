import copy
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from explorer.config import ExplorerError, Progress
from explorer.data.cub import CubDataset, Photo, load_photo
from explorer.nn.backbones import Backbone
from explorer.nn.vgg import Architecture
from explorer.training import features
from explorer.training.features import Features, load_input, load_or_compute_features

Run = Callable[[Any], Any]


class Counting(Backbone):
    """A backbone that counts the photos that go through it."""

    counts: list[int] = []  # noqa: RUF012

    def compute_features(self, images: Tensor) -> tuple[Tensor, Tensor]:
        self.counts.append(len(images))
        return super().compute_features(images)


@pytest.fixture
def backbone() -> Backbone:
    """Return a network small enough to be run hundreds of times."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = nn.Sequential(
            nn.Conv2d(3, 4, 3),
            nn.ReLU(),
            nn.MaxPool2d(4),
            nn.Flatten(),
            nn.Linear(36, 6),
            nn.ReLU(),
            nn.Dropout(),
            nn.Linear(6, 6),
            nn.ReLU(),
            nn.Dropout(),
            nn.Linear(6, 12),
        ).eval()
    Counting.counts = []
    names = tuple(map(str, range(12)))
    return Counting(Architecture("tiny", (16, 16)), layers.requires_grad_(False), names)


@pytest.fixture
def photos(painted_dataset: CubDataset) -> tuple[Photo, ...]:
    """Return 40 photos, more than a batch, in no order of their ids."""
    rng = np.random.default_rng(0)
    return tuple(painted_dataset.photos[i] for i in rng.permutation(len(painted_dataset.photos)))[
        :40
    ]


def test_computed_once_then_read(
    tmp_path: Path, backbone: Backbone, photos: tuple[Photo, ...], run: Run
) -> None:
    progress = list(load_or_compute_features(tmp_path, backbone, photos))
    assert [(p.done, p.total) for p in progress] == [(32, 40), (40, 40)]
    assert Counting.counts == [32, 8]
    assert list(load_or_compute_features(tmp_path, backbone, photos)) == []
    assert Counting.counts == [32, 8]
    found = run(load_or_compute_features(tmp_path, backbone, photos))
    assert isinstance(found.z, np.memmap)
    assert not found.z.flags.writeable
    assert found.z.shape == (40, 6)
    assert found.logits.shape == (40, 12)
    assert (found.z >= 0).all()


def test_batches_equal_one_by_one(
    tmp_path: Path, backbone: Backbone, photos: tuple[Photo, ...], run: Run
) -> None:
    found = run(load_or_compute_features(tmp_path, backbone, photos))
    for row, photo in enumerate(photos):
        image = torch.from_numpy(load_input(photo, backbone.architecture))[None]
        z, logits = backbone.compute_features(image)
        np.testing.assert_allclose(found.z[row], z[0], atol=1e-5)
        np.testing.assert_allclose(found.logits[row], logits[0], atol=1e-5)
    assert found.image_ids.tolist() == [photo.image_id for photo in photos]


def test_a_change_of_weights_layer_size_or_photos_is_computed_anew(
    tmp_path: Path, backbone: Backbone, photos: tuple[Photo, ...]
) -> None:
    def count_steps(network: Backbone, wanted: tuple[Photo, ...]) -> int:
        return len(list(load_or_compute_features(tmp_path, network, wanted)))

    fresh = copy.deepcopy(backbone.layers)
    fresh[-1].bias += 1
    assert count_steps(backbone, photos) == 2
    assert count_steps(replace(backbone, layers=fresh), photos) == 2
    assert count_steps(replace(backbone, z_layer="fc7"), photos) == 2
    normalised = Architecture("tiny", (16, 16), mean=(0.5, 0.5, 0.5))
    assert count_steps(replace(backbone, architecture=normalised), photos) == 2
    assert count_steps(backbone, photos[:32]) == 1
    assert count_steps(backbone, photos[::-1]) == 2
    renamed = replace(photos[0], image_id=99999)
    assert count_steps(backbone, (renamed, *photos[1:])) == 2
    assert count_steps(backbone, photos) == 0


def test_killed_half_way_leaves_nothing(
    tmp_path: Path, backbone: Backbone, photos: tuple[Photo, ...]
) -> None:
    steps = load_or_compute_features(tmp_path, backbone, photos)
    next(steps)
    steps.close()
    assert list(tmp_path.iterdir()) == []
    assert len(list(load_or_compute_features(tmp_path, backbone, photos))) == 2


def test_what_a_crash_leaves_behind_is_not_taken(
    tmp_path: Path, backbone: Backbone, photos: tuple[Photo, ...], run: Run
) -> None:
    steps = load_or_compute_features(tmp_path, backbone, photos)
    next(steps)
    (half,) = tmp_path.iterdir()
    shutil.copytree(half, tmp_path / "saved")  # as if the process had died here
    steps.close()
    shutil.move(tmp_path / "saved", half)
    found = run(load_or_compute_features(tmp_path, backbone, photos))
    assert (found.logits[32:] != 0).all()


def test_only_three_files_are_kept(
    tmp_path: Path, backbone: Backbone, photos: tuple[Photo, ...], run: Run
) -> None:
    run(load_or_compute_features(tmp_path, backbone, photos))
    (cache,) = tmp_path.iterdir()
    assert sorted(path.name for path in cache.iterdir()) == ["done.json", "logits.npy", "z.npy"]


def test_two_processes_may_finish_the_same_cache(
    tmp_path: Path, backbone: Backbone, photos: tuple[Photo, ...], run: Run
) -> None:
    first = load_or_compute_features(tmp_path, backbone, photos)
    second = load_or_compute_features(tmp_path, backbone, photos)
    next(first), next(second)
    a, b = run(first), run(second)
    assert np.array_equal(a.logits, b.logits)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_photo_that_cannot_be_read_stops_and_leaves_nothing(
    tmp_path: Path, backbone: Backbone, photos: tuple[Photo, ...], run: Run
) -> None:
    broken = replace(photos[35], path=tmp_path / "gone.jpg")
    with pytest.raises(ExplorerError, match=r"gone\.jpg"):
        run(load_or_compute_features(tmp_path / "cache", backbone, (*photos[:35], broken)))
    assert list((tmp_path / "cache").iterdir()) == []


def test_rows_by_image_id_with_gaps_and_out_of_order() -> None:
    ids = np.array([30, 5, 12, 700])
    found = Features(ids, np.zeros((4, 1), np.float32), np.zeros((4, 1), np.float32))
    assert found.get_rows([12, 30, 700, 5, 12]).tolist() == [2, 0, 3, 1, 2]
    assert found.get_rows([]).tolist() == []


@pytest.mark.parametrize("unknown", [1, 6, 701])
def test_an_id_that_is_not_there_is_never_mistaken_for_another(unknown: int) -> None:
    ids = np.array([30, 5, 12, 700])
    found = Features(ids, np.zeros((4, 1), np.float32), np.zeros((4, 1), np.float32))
    with pytest.raises(ExplorerError, match=f"id {unknown}"):
        found.get_rows([5, unknown])


def test_every_photo_is_decoded_once(
    tmp_path: Path,
    backbone: Backbone,
    photos: tuple[Photo, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loaded: list[int] = []

    def load(photo: Photo) -> np.ndarray:
        loaded.append(photo.image_id)
        return load_photo(photo)

    monkeypatch.setattr(features, "load_photo", load)
    steps: Iterator[Progress] = load_or_compute_features(tmp_path, backbone, photos)
    assert len(list(steps)) == 2
    assert sorted(loaded) == sorted(photo.image_id for photo in photos)


def test_z_is_copied_for_training() -> None:
    z = np.ones((4, 2), np.float32)
    z.setflags(write=False)
    copied = Features(np.arange(4), z, z).copy_z(torch.device("cpu"))
    copied[0, 0] = 5
    assert z[0, 0] == 1
    assert copied.dtype == torch.float32
