import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from explorer.data.photo import Photo
from explorer.nn.backbones.backbone import Backbone
from explorer.workspace.features import Features
from explorer.workspace.packed_features import load_packed_features, pack_features
from explorer.workspace.workspace import Workspace


@pytest.fixture(scope="module")
def computed(tiny_workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Features:
    """Return Z and logits made up for the photos of the tiny workspace, which fit each other."""
    workspace = Workspace(tiny_workspace)
    backbone, photos = workspace.networks.backbone, workspace.dataset.photos
    rng = np.random.default_rng(3)
    z = rng.exponential(2, (len(photos), backbone.z_size)).astype(np.float32)
    z *= rng.random(z.shape) < 0.3
    with torch.inference_mode():
        logits = backbone.top(torch.from_numpy(z)).numpy()
    return Features(np.array([photo.image_id for photo in photos]), z, logits)


@pytest.fixture
def backbone(tiny_workspace: Path) -> Backbone:
    return Workspace(tiny_workspace).networks.backbone


@pytest.fixture
def photos(tiny_workspace: Path) -> tuple[Photo, ...]:
    return Workspace(tiny_workspace).dataset.photos


@pytest.fixture
def packed(
    tmp_path: Path, backbone: Backbone, photos: tuple[Photo, ...], computed: Features
) -> Path:
    pack_features(tmp_path / "packed.npz", backbone, photos, computed)
    return tmp_path / "packed.npz"


def test_z_is_rounded_once_and_logits_follow_from_it(
    packed: Path, backbone: Backbone, photos: tuple[Photo, ...], computed: Features
) -> None:
    found = load_packed_features(packed, backbone, photos)
    assert found is not None
    np.testing.assert_allclose(found.z, computed.z, rtol=2**-10, atol=1e-7)
    mantissa = np.frexp(found.z)[0] * 2**10
    np.testing.assert_array_equal(mantissa, np.round(mantissa))
    np.testing.assert_allclose(found.logits, computed.logits, rtol=2e-3, atol=2e-3)
    np.testing.assert_array_equal(found.image_ids, computed.image_ids)
    assert not found.z.flags.writeable
    # Of 512 values 30 % are not zero, in two bytes each.
    assert packed.stat().st_size < 0.45 * 2 * computed.z.size


def test_z_that_is_made_from_a_layer_keeps_its_logits(
    tmp_path: Path, backbone: Backbone, photos: tuple[Photo, ...], computed: Features
) -> None:
    own = replace(backbone, z_layer="pool4-mean")
    features = replace(computed, z=computed.z[:, : own.z_size])
    pack_features(tmp_path / "packed.npz", own, photos, features)
    found = load_packed_features(tmp_path / "packed.npz", own, photos)
    assert found is not None
    np.testing.assert_array_equal(found.logits, computed.logits)


def test_it_holds_for_any_copy_of_the_photos_and_for_none(
    packed: Path, backbone: Backbone, photos: tuple[Photo, ...], tmp_path: Path
) -> None:
    moved = [replace(photo, path=tmp_path / photo.category / photo.path.name) for photo in photos]
    assert load_packed_features(packed, backbone, moved) is not None


def test_other_photos_layers_or_weights_are_told(
    packed: Path, backbone: Backbone, photos: tuple[Photo, ...]
) -> None:
    assert load_packed_features(packed, backbone, photos[::-1]) is None
    assert load_packed_features(packed, backbone, photos[1:]) is None
    assert load_packed_features(packed, replace(backbone, z_layer="fc7"), photos) is None
    renamed = replace(photos[0], path=photos[0].path.with_name("other.jpg"))
    assert load_packed_features(packed, backbone, (renamed, *photos[1:])) is None
    assert load_packed_features(packed.with_name("none"), backbone, photos) is None


HALVES = ("z_lower", "z_upper")


def rewrite(packed: Path, change: Callable[[dict[str, np.ndarray]], object]) -> None:
    with np.load(packed) as stored:
        arrays = dict(stored)
    change(arrays)
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    packed.write_bytes(content.getvalue())


@pytest.mark.parametrize(
    "change",
    [
        lambda arrays: arrays.update({name: arrays[name][:, 1:] for name in HALVES}),
        lambda arrays: arrays.update(z_lower=arrays["z_lower"][:, 1:]),
        lambda arrays: arrays.update({name: np.full_like(arrays[name], 255) for name in HALVES}),
        lambda arrays: arrays.update({name: np.array(["a"]) for name in HALVES}),
        lambda arrays: arrays.update(z_upper=arrays["z_upper"].astype(np.float32)),
        lambda arrays: arrays.update(bomb=np.zeros(2**24)),
        lambda arrays: arrays.pop("z_upper"),
        lambda arrays: arrays.pop("key"),
    ],
)
def test_invalid_contents_are_not_used(
    packed: Path, backbone: Backbone, photos: tuple[Photo, ...], change: Callable[..., object]
) -> None:
    rewrite(packed, change)
    assert load_packed_features(packed, backbone, photos) is None


def test_damaged_files_are_not_used(
    packed: Path, backbone: Backbone, photos: tuple[Photo, ...]
) -> None:
    data = packed.read_bytes()
    for damaged in (data[:-40], b"no archive", b"", data[:300] + b"x" * 9 + data[309:]):
        packed.write_bytes(damaged)
        assert load_packed_features(packed, backbone, photos) is None
