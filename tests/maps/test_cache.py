import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorer.data.photo import Photo, load_photo
from explorer.maps import cache
from explorer.maps.cache import CachedMaps, compute_key, load_maps, pack_record
from explorer.maps.drawing import draw_maps
from explorer.measuring.parts import load_parts
from explorer.nn.explanation import Explanation
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace

Run = Callable[[Any], Any]
STOP = "pool2"


@pytest.fixture(scope="module")
def drawn_folder(tiny_workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a workspace whose only module has its maps cached. Read only."""
    folder = Path(shutil.copytree(tiny_workspace, tmp_path_factory.mktemp("drawn") / "workspace"))
    workspace = Workspace(folder)
    for _ in draw_maps(workspace, workspace.list_modules(), STOP):
        pass
    return folder


@pytest.fixture
def own(drawn_folder: Path, tmp_path: Path) -> Workspace:
    """Return a copy of `drawn_folder` that the test may change."""
    return Workspace(Path(shutil.copytree(drawn_folder, tmp_path / "own")))


def get_first(workspace: Workspace) -> tuple[ModuleEntry, tuple[Photo, ...]]:
    (entry,) = workspace.list_modules()
    return entry, workspace.dataset.photos_of(entry.category)


def assert_close(found: np.ndarray, exact: np.ndarray) -> None:
    """Check the error bound in the docstring of the module, plus rounding to float32."""
    largest = exact.max(axis=(-2, -1), keepdims=True).astype(np.float64)
    allowed = np.maximum(2.0**-11 * exact, 2.0**-40 * largest) * (1 + 1e-3) + 2.0**-149
    assert (np.abs(found - exact.astype(np.float64)) <= allowed).all()


def test_cached_maps_equal_computed_maps(drawn_folder: Path) -> None:
    workspace = Workspace(drawn_folder)
    entry, photos = get_first(workspace)
    assert len(photos) == 6
    for photo in photos:
        maps = load_maps(workspace, entry, photo, STOP)
        assert maps is not None
        found, image = maps.unpack_explanation(), load_photo(photo)
        exact = workspace.networks.explain(entry, image, STOP)
        assert (found.y_hat, found.y_bar, found.stop) == (exact.y_hat, exact.y_bar, STOP)
        for name in ("logits", "x_features", "contributions"):
            np.testing.assert_array_equal(getattr(found, name), getattr(exact, name))
        assert found.maps.dtype == np.float32
        assert_close(found.maps, exact.maps)
        assert_close(
            maps.unpack_score(), workspace.networks.explain_score(entry.category, image, STOP)
        )
        measured = load_parts(photo)
        np.testing.assert_allclose(
            measured.measure(found.maps).values, measured.measure(exact.maps).values, atol=5e-5
        )


def test_reading_loads_no_network(drawn_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a network was loaded")

    monkeypatch.setattr("explorer.nn.checkpoint.load_backbone", refuse)
    monkeypatch.setattr("explorer.nn.checkpoint.load_module", refuse)
    workspace = Workspace(drawn_folder)
    entry, photos = get_first(workspace)
    assert load_maps(workspace, entry, photos[-1], STOP) is not None


def test_only_one_photo_is_read(drawn_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = Workspace(drawn_folder)
    entry, photos = get_first(workspace)
    read = []

    def record(photo_path: Path) -> str:
        read.append(photo_path)
        return original(photo_path)

    original = cache.hash_regular
    monkeypatch.setattr(cache, "hash_regular", record)
    found = load_maps(workspace, entry, photos[3], STOP)
    assert found is not None
    assert found.record.shape == ()
    assert found.record.base.shape == (1,)  # a copy of one record, which keeps no file open
    assert found.record.base.base is None
    assert found.record["image_id"] == photos[3].image_id
    assert read == [photos[3].path]


def test_layers_modules_and_photos_without_maps_give_none(own: Workspace) -> None:
    entry, photos = get_first(own)
    assert load_maps(own, entry, photos[0], "relu1") is None
    other = own.dataset.photos_of(own.dataset.categories[1])[0]
    assert load_maps(own, entry, other, STOP) is None
    assert load_maps(own, replace(entry, path=Path("missing")), photos[0], STOP) is None
    unknown = replace(photos[0], image_id=10**6)
    assert load_maps(own, entry, unknown, STOP) is None


def test_maps_of_another_module_classifier_or_layer_of_z_are_not_used(own: Workspace) -> None:
    entry, photos = get_first(own)
    for change in ({"classifier_sha256": "0" * 64}, {"z_layer": "fc7"}):
        kept = own.settings
        own.settings = replace(kept, **change)
        assert load_maps(own, entry, photos[0], STOP) is None
        own.settings = kept
    assert load_maps(own, entry, photos[0], STOP) is not None
    shutil.copytree(entry.path.parent, entry.path.parents[1] / "again")
    moved = replace(entry, run="again", path=entry.path.parents[1] / "again" / entry.path.name)
    assert load_maps(own, moved, photos[0], STOP) is not None  # the same module, moved
    with moved.path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        last = file.read(1)[0]
        file.seek(-1, os.SEEK_END)
        file.write(bytes([last ^ 1]))
    assert load_maps(own, moved, photos[0], STOP) is None
    assert load_maps(own, entry, photos[0], STOP) is not None


def test_a_photo_replaced_by_one_of_the_same_size_is_detected(own: Workspace) -> None:
    entry, photos = get_first(own)
    status = photos[1].path.stat()
    data = bytearray(photos[1].path.read_bytes())
    data[-3] ^= 1
    photos[1].path.write_bytes(data)
    os.utime(photos[1].path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert load_maps(own, entry, photos[1], STOP) is None
    assert load_maps(own, entry, photos[0], STOP) is not None


def test_a_damaged_cache_is_ignored(own: Workspace) -> None:
    entry, photos = get_first(own)
    file = entry.get_maps_path(STOP)
    data = file.read_bytes()
    size = np.load(file, mmap_mode="r").itemsize
    broken = bytearray(data)
    broken[-size // 2] ^= 1  # in the maps of the last photo
    file.write_bytes(broken)
    assert load_maps(own, entry, photos[-1], STOP) is None
    assert load_maps(own, entry, photos[0], STOP) is not None
    for content in (b"", b"junk", data[:-1], data[:200]):
        file.write_bytes(content)
        assert load_maps(own, entry, photos[0], STOP) is None
    np.save(file, np.zeros(6))
    assert load_maps(own, entry, photos[0], STOP) is None
    np.save(file, np.zeros(()))
    assert load_maps(own, entry, photos[0], STOP) is None


def test_the_key_depends_on_the_layer(own: Workspace) -> None:
    entry, _ = get_first(own)
    assert compute_key(own, entry, "relu1") != compute_key(own, entry, "pool1")


@given(
    st.floats(2.0**-140, 2.0**100, width=32),
    st.lists(st.floats(0, 1, width=32), min_size=1, max_size=8),
)
def test_values_of_any_magnitude_are_restored(largest: float, shares: list[float]) -> None:
    heat = np.float32(largest) * np.array([[[1, *shares]]], np.float32)
    stored, tops = cache._to_half(heat)
    assert stored.dtype == np.float16
    found = cache._restore(stored, tops)
    assert found[0, 0, 0] == heat[0, 0, 0]
    assert_close(found, heat)


def test_tiny_and_empty_maps_are_restored(painted_dataset: Any) -> None:
    photo = painted_dataset.photos[0]
    maps = np.stack([np.full((2, 3), 1e-12), np.zeros((2, 3)), np.eye(2, 3) * 1e-40])
    maps[0, 0, 0] = 1e-7
    maps = maps.astype(np.float32)
    explanation = Explanation(
        logits=np.array([1.5, -2], np.float32),
        y_hat=1.5,
        y_bar=1.25,
        x_features=np.ones(3, np.float32),
        contributions=np.ones(3, np.float32),
        maps=maps,
        stop=STOP,
    )
    record = pack_record(explanation, np.zeros((2, 3), np.float32), photo, b"0" * 64)
    cached = CachedMaps(record[0], STOP)
    found = cached.unpack_explanation().maps
    assert_close(found, maps)
    np.testing.assert_allclose(
        found[0], maps[0], rtol=2.0**-11
    )  # 1e-5 of the largest value: the error is relative
    assert not found[1].any()
    assert not cached.unpack_score().any()
