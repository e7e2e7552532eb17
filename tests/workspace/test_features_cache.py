import copy
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from explorer.config import REPOSITORY_ROOT, ExplorerError, Progress
from explorer.data.cub import CubDataset
from explorer.data.photo import Photo, load_photo
from explorer.nn.backbones.architecture import Architecture
from explorer.nn.backbones.backbone import Backbone
from explorer.storage.packing import make_npz
from explorer.workspace import feature_batches, feature_shards
from explorer.workspace.feature_batches import load_input
from explorer.workspace.feature_shards import compute_shard, list_missing_shards
from explorer.workspace.features_cache import (
    compute_features_key,
    count_written_rows,
    get_shards_folder,
    load_or_compute_features,
)
from explorer.workspace.workspace import Workspace

Run = Callable[[Any], Any]
SCRIPT = """
import sys
from pathlib import Path
from explorer.workspace import feature_batches
from explorer.workspace.workspace import Workspace
feature_batches.BATCH_SIZE = 8
for progress in Workspace(Path(sys.argv[1])).networks.compute_features():
    print(progress.done, flush=True)
"""


class Counting(Backbone):
    """A backbone that records the size of each batch."""

    counts: list[int] = []  # noqa: RUF012

    def compute_features(self, images: Tensor) -> tuple[Tensor, Tensor]:
        self.counts.append(len(images))
        return super().compute_features(images)


@pytest.fixture
def backbone() -> Backbone:
    """Return a network that is small enough to run hundreds of times."""
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
    """Return 40 photos, more than a batch, in random order."""
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


def test_batches_give_the_same_as_single_photos(
    tmp_path: Path, backbone: Backbone, photos: tuple[Photo, ...], run: Run
) -> None:
    found = run(load_or_compute_features(tmp_path, backbone, photos))
    for row, photo in enumerate(photos):
        image = torch.from_numpy(load_input(photo, backbone.architecture))[None]
        z, logits = backbone.compute_features(image)
        np.testing.assert_allclose(found.z[row], z[0], atol=1e-5)
        np.testing.assert_allclose(found.logits[row], logits[0], atol=1e-5)
    assert found.image_ids.tolist() == [photo.image_id for photo in photos]


def test_changed_weights_layers_transforms_or_photos_are_computed_again(
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


def list_names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != ".lock")


def read_files(folder: Path) -> dict[str, bytes]:
    """Return the files of the only cache in a folder."""
    (cache,) = (path for path in folder.iterdir() if path.name != ".lock")
    return {path.name: path.read_bytes() for path in cache.iterdir()}


@pytest.fixture
def uninterrupted(
    tmp_path: Path, backbone: Backbone, photos: tuple[Photo, ...], run: Run
) -> dict[str, bytes]:
    """Return the files of an uninterrupted computation."""
    run(load_or_compute_features(tmp_path / "uninterrupted", backbone, photos))
    Counting.counts.clear()
    return read_files(tmp_path / "uninterrupted")


def test_a_closed_computation_is_resumed(
    tmp_path: Path,
    backbone: Backbone,
    photos: tuple[Photo, ...],
    run: Run,
    uninterrupted: dict[str, bytes],
) -> None:
    folder = tmp_path / "features"
    steps = load_or_compute_features(folder, backbone, photos)
    next(steps)
    steps.close()
    assert [name.endswith(".tmp") for name in list_names(folder)] == [True]
    progress = list(load_or_compute_features(folder, backbone, photos))
    assert [(p.done, p.total) for p in progress] == [(40, 40)]
    assert Counting.counts == [32, 8]
    assert read_files(folder) == uninterrupted


@pytest.mark.slow
@pytest.mark.parametrize("batches", [1, 5, 8])
def test_a_killed_computation_is_resumed_with_the_same_bytes(
    own_workspace: Path, run: Run, monkeypatch: pytest.MonkeyPatch, batches: int
) -> None:
    monkeypatch.setattr(feature_batches, "BATCH_SIZE", 8)
    workspace = Workspace(own_workspace)
    folder = own_workspace / "features"
    shutil.rmtree(folder)
    assert len(list(workspace.networks.compute_features())) == 9
    expected = read_files(folder)
    shutil.rmtree(folder)
    command = [sys.executable, "-c", SCRIPT, str(own_workspace)]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY_ROOT)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY_ROOT, env=environment
    ) as process:
        assert process.stdout is not None
        for _ in range(batches):
            assert process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    assert len(list(workspace.networks.compute_features())) <= 9 - batches
    assert read_files(folder) == expected


@pytest.mark.parametrize("name", ["z.npy", "logits.npy", "note.json"])
@pytest.mark.parametrize("damage", ["truncated", "zeros", "missing"])
def test_damaged_partial_files_are_not_used(
    tmp_path: Path,
    backbone: Backbone,
    photos: tuple[Photo, ...],
    run: Run,
    uninterrupted: dict[str, bytes],
    *,
    name: str,
    damage: str,
) -> None:
    folder = tmp_path / "features"
    steps = load_or_compute_features(folder, backbone, photos)
    next(steps)
    steps.close()
    (partial,) = folder.glob(".*.tmp")
    (partial / ".note.json.1.tmp").touch()  # as left by a killed process
    data = (partial / name).read_bytes()
    if damage == "missing":
        (partial / name).unlink()
    else:
        damaged = data[:-9] if damage == "truncated" else data[:-16] + bytes(16)
        (partial / name).write_bytes(damaged)
    assert len(list(load_or_compute_features(folder, backbone, photos))) == 2
    assert read_files(folder) == uninterrupted


def test_rows_after_those_in_the_note_are_written_again(
    tmp_path: Path,
    backbone: Backbone,
    photos: tuple[Photo, ...],
    run: Run,
    uninterrupted: dict[str, bytes],
) -> None:
    folder = tmp_path / "features"
    steps = load_or_compute_features(folder, backbone, photos)
    next(steps)
    steps.close()
    (partial,) = folder.glob(".*.tmp")
    with (partial / "z.npy").open("ab") as file:
        file.write(b"killed while this was written")
    assert len(list(load_or_compute_features(folder, backbone, photos))) == 1
    assert read_files(folder) == uninterrupted


def test_killed_after_the_last_batch_computes_nothing(
    tmp_path: Path,
    backbone: Backbone,
    photos: tuple[Photo, ...],
    run: Run,
    uninterrupted: dict[str, bytes],
) -> None:
    folder = tmp_path / "features"
    steps = load_or_compute_features(folder, backbone, photos)
    next(steps), next(steps)
    steps.close()
    Counting.counts.clear()
    assert list(load_or_compute_features(folder, backbone, photos)) == []
    assert Counting.counts == []
    assert read_files(folder) == uninterrupted


def test_leftovers_of_other_computations_are_removed(
    tmp_path: Path, backbone: Backbone, photos: tuple[Photo, ...], run: Run
) -> None:
    steps = load_or_compute_features(tmp_path, backbone, photos[:35])
    next(steps)
    steps.close()
    (tmp_path / ".0123.random.tmp").mkdir()  # as an older version named it
    run(load_or_compute_features(tmp_path, backbone, photos[:32]))
    run(load_or_compute_features(tmp_path, backbone, photos))
    assert not list(tmp_path.glob(".*.tmp"))
    assert len(list_names(tmp_path)) == 2  # complete caches are kept


def test_only_three_files_are_kept(uninterrupted: dict[str, bytes]) -> None:
    assert sorted(uninterrupted) == ["done.json", "logits.npy", "z.npy"]


def find_shards(folder: Path, backbone: Backbone, photos: tuple[Photo, ...]) -> Path:
    return get_shards_folder(folder, compute_features_key(backbone, photos))


def compute_shards(folder: Path, backbone: Backbone, photos: tuple[Photo, ...]) -> list[int]:
    shards = find_shards(folder, backbone, photos)
    missing = list_missing_shards(shards, backbone, photos)
    for first in missing:
        compute_shard(shards, backbone, photos, first)
    assert list_missing_shards(shards, backbone, photos) == []
    return missing


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make batches of 8 and shards of two, of which 40 photos have two and a half."""
    monkeypatch.setattr(feature_batches, "BATCH_SIZE", 8)
    monkeypatch.setattr(feature_shards, "SHARD_PHOTOS", 16)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return an empty folder for features."""
    path = tmp_path / "shards"
    path.mkdir()
    return path


@pytest.mark.usefixtures("small_shards")
def test_shards_are_joined_to_the_same_bytes(
    folder: Path,
    backbone: Backbone,
    photos: tuple[Photo, ...],
    uninterrupted: dict[str, bytes],
) -> None:
    assert compute_shards(folder, backbone, photos) == [0, 16, 32]
    Counting.counts = []
    progress = list(load_or_compute_features(folder, backbone, photos))
    assert [step.done for step in progress] == [16, 32, 40]
    assert Counting.counts == []
    assert read_files(folder) == uninterrupted  # and the shards are gone


@pytest.mark.usefixtures("small_shards")
@pytest.mark.parametrize(
    "damage",
    ["missing", "truncated", "of another network", "not an archive", "of an unknown compression"],
)
def test_a_damaged_shard_is_computed_again(
    folder: Path,
    backbone: Backbone,
    photos: tuple[Photo, ...],
    uninterrupted: dict[str, bytes],
    damage: str,
) -> None:
    compute_shards(folder, backbone, photos)
    (shard,) = folder.glob(".*.shards/00000016.npz")
    if damage == "missing":
        shard.unlink()
    elif damage == "truncated":
        shard.write_bytes(shard.read_bytes()[:-100])
    elif damage == "of another network":
        shard.write_bytes(make_npz({"z": np.zeros((16, 7)), "logits": np.zeros((16, 12))}))
    elif damage == "of an unknown compression":
        data = bytearray(shard.read_bytes())
        for header, method in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
            data[data.index(header) + method] = 77
        shard.write_bytes(data)
    else:
        shard.write_bytes(b"no archive")
    shards = find_shards(folder, backbone, photos)
    assert list_missing_shards(shards, backbone, photos) == [16]
    Counting.counts = []
    list(load_or_compute_features(folder, backbone, photos))
    assert Counting.counts == [8, 8]  # the rows of this shard alone
    assert read_files(folder) == uninterrupted


@pytest.mark.usefixtures("small_shards")
def test_shards_complete_what_was_begun_without_them(
    folder: Path,
    backbone: Backbone,
    photos: tuple[Photo, ...],
    uninterrupted: dict[str, bytes],
) -> None:
    steps = load_or_compute_features(folder, backbone, photos)
    assert [next(steps).done for _ in range(3)] == [8, 16, 24]
    steps.close()
    rows = count_written_rows(folder, compute_features_key(backbone, photos))
    assert rows == 24  # in the middle of the second shard
    shards = find_shards(folder, backbone, photos)
    assert list_missing_shards(shards, backbone, photos, rows) == [16, 32]
    compute_shards(folder, backbone, photos)
    Counting.counts = []
    list(load_or_compute_features(folder, backbone, photos))
    assert Counting.counts == []
    assert read_files(folder) == uninterrupted


@pytest.mark.usefixtures("small_shards")
def test_shards_of_other_photos_are_removed(
    tmp_path: Path, backbone: Backbone, photos: tuple[Photo, ...]
) -> None:
    compute_shards(tmp_path, backbone, photos[::-1])
    list(load_or_compute_features(tmp_path, backbone, photos))
    assert not list(tmp_path.glob(".*.shards"))


def test_one_of_two_computes_and_the_other_waits(
    tmp_path: Path, backbone: Backbone, photos: tuple[Photo, ...], run: Run
) -> None:
    first = load_or_compute_features(tmp_path, backbone, photos)
    second = load_or_compute_features(tmp_path, backbone, photos)
    next(first)
    waiting = next(second)
    assert (waiting.done, waiting.total) == (32, 40)
    a, b = run(first), run(second)
    assert Counting.counts == [32, 8]
    assert np.array_equal(a.logits, b.logits)
    assert len(list_names(tmp_path)) == 1


def test_an_unreadable_photo_stops_the_computation_and_keeps_the_rest(
    tmp_path: Path, backbone: Backbone, photos: tuple[Photo, ...], run: Run
) -> None:
    broken = replace(photos[35], path=tmp_path / "missing.jpg")
    wanted = (*photos[:35], broken)
    for batches in ([32], []):
        Counting.counts.clear()
        with pytest.raises(ExplorerError, match=r"missing\.jpg"):
            run(load_or_compute_features(tmp_path / "cache", backbone, wanted))
        assert Counting.counts == batches


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

    monkeypatch.setattr(feature_batches, "load_photo", load)
    steps: Iterator[Progress] = load_or_compute_features(tmp_path, backbone, photos)
    assert len(list(steps)) == 2
    assert sorted(loaded) == sorted(photo.image_id for photo in photos)
