from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import prune

from explorer.config import REPOSITORY_ROOT, ExplorerError
from explorer.data.cub import CubDataset
from explorer.data.photo import load_photo
from explorer.data.splits import get_held_out
from explorer.data.transforms import prepare_image
from explorer.nn.backbones.backbone import Backbone, check_z_layer, compute_sha256
from explorer.nn.backbones.build import build_network, build_network_from_weights, flatten_network
from explorer.nn.backbones.registry import get_architecture, get_family
from explorer.nn.devices import has_bfloat16
from explorer.nn.foreign import load_foreign_weights

REFERENCE_WEIGHTS = REPOSITORY_ROOT.parent / "shared" / "weights" / "vgg_small_cub40.safetensors"
SMALL = get_architecture("vgg_small")

# Of sums in another order, as features are computed with another layout in memory.
ROUNDING: dict[str, Any] = {"rtol": 1e-4, "atol": 1e-4}


def draw_images(count: int = 2, size: int = 128) -> Tensor:
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(5))


@torch.inference_mode()
def test_stops_are_the_first_relu_and_the_pools(small_backbone: Backbone) -> None:
    images = draw_images(1)
    sides = {"relu1": 128, "pool1": 64, "pool2": 32, "pool3": 16, "pool4": 8}
    assert list(small_backbone.stops) == list(sides)
    for name, side in sides.items():
        stop = small_backbone.get_stop(name)
        before = small_backbone.layers[stop - 1]
        assert isinstance(before, nn.ReLU if name == "relu1" else nn.MaxPool2d)
        activations = small_backbone.layers[:stop](images)
        assert activations.shape[2:] == (side, side)
        assert (activations >= 0).all()
    with pytest.raises(ExplorerError, match=r"pool9.*relu1, pool1"):
        small_backbone.get_stop("pool9")


@pytest.mark.parametrize(("z_layer", "linear"), [("fc6", 0), ("fc7", 1)])
@torch.inference_mode()
def test_z_is_the_layer_after_its_relu(small_backbone: Backbone, z_layer: str, linear: int) -> None:
    backbone = replace(small_backbone, z_layer=z_layer)
    images = draw_images()
    z, logits = backbone.compute_features(images)
    assert z.shape == (2, 512)
    assert backbone.z_size == 512
    assert (z >= 0).all()
    assert (z > 0).any()
    torch.testing.assert_close(backbone.top(z), logits, **ROUNDING)
    torch.testing.assert_close(backbone.layers(images), logits, **ROUNDING)
    positions = [i for i, layer in enumerate(backbone.layers) if isinstance(layer, nn.Linear)]
    torch.testing.assert_close(backbone.layers[: positions[linear] + 2](images), z, **ROUNDING)


@pytest.mark.parametrize("z_layer", ["fc6", "pool4-mean", "pool2"])
def test_estimated_features_are_close_to_the_computed_ones(
    small_backbone: Backbone, z_layer: str
) -> None:
    backbone = replace(small_backbone, z_layer=z_layer)
    images = draw_images()
    for computed, estimated in zip(
        backbone.compute_features(images), backbone.estimate_features(images), strict=True
    ):
        assert estimated.dtype == torch.float32
        error = (estimated - computed).norm() / computed.norm()
        assert error < 2e-2
        assert (error > 1e-4) == has_bfloat16()


def test_features_are_computed_where_they_cannot_be_estimated(
    small_backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    layers = flatten_network(build_network("resnet18", 3, batch_norm=False))
    categories = ("a", "b", "c")
    residual = Backbone(get_architecture("resnet18"), layers, categories, "avgpool")
    images = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    for computed, estimated in zip(
        residual.compute_features(images), residual.estimate_features(images), strict=True
    ):
        assert estimated.equal(computed)
    monkeypatch.setattr("explorer.nn.backbones.backbone.has_bfloat16", lambda: False)
    for computed, estimated in zip(
        small_backbone.compute_features(draw_images()),
        small_backbone.estimate_features(draw_images()),
        strict=True,
    ):
        assert estimated.equal(computed)


@pytest.mark.parametrize(
    ("name", "convolutions"), [("vgg11", 8), ("vgg13", 10), ("vgg16", 13), ("vgg19", 16)]
)
@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("suffix", ["", "_bn"])
def test_large_vggs_have_the_right_stops(
    name: str, convolutions: int, batch_norm: bool, suffix: str
) -> None:
    name += suffix
    with torch.device("meta"):  # only shapes: the weights take half a gigabyte
        layers = flatten_network(build_network(name, 200, batch_norm=batch_norm))
        images = torch.empty(1, 3, 224, 224)
    backbone = Backbone(get_architecture(name), layers, tuple(map(str, range(200))))
    assert sum(isinstance(layer, nn.Conv2d) for layer in layers) == convolutions
    shapes = {stop: layers[:index](images).shape[1:] for stop, index in backbone.stops.items()}
    assert shapes == {
        "relu1": (64, 224, 224),
        "pool1": (64, 112, 112),
        "pool2": (128, 56, 56),
        "pool3": (256, 28, 28),
        "pool4": (512, 14, 14),
        "pool5": (512, 7, 7),
    }
    assert isinstance(layers[1], nn.ReLU)
    assert backbone.z_size == replace(backbone, z_layer="fc7").z_size == 4096
    first, second = len(backbone.trunk), len(replace(backbone, z_layer="fc7").trunk)
    assert layers[first - 2].in_features == 512 * 7 * 7
    assert second == first + 3
    assert layers(images).shape == (1, 200)


def test_a_backbone_needs_a_category_for_every_output(small_backbone: Backbone) -> None:
    with pytest.raises(ExplorerError, match=r"12 outputs.*1 categories"):
        replace(small_backbone, categories=("one",))
    with pytest.raises(ExplorerError, match="'fc8'"):
        replace(small_backbone, z_layer="fc8")


def test_hash_depends_on_values_names_and_shapes_only() -> None:
    values = torch.tensor([[0.5, 1.0], [2.0, -0.25]])  # exact in half precision
    reference = compute_sha256({"a": values, "b": values})
    assert compute_sha256({"b": values.half(), "a": values.double()}) == reference
    assert compute_sha256({"a": values.T.contiguous().T, "b": values}) == reference
    assert compute_sha256({"a": values + 1e-6, "b": values}) != reference
    assert compute_sha256({"a": values, "c": values}) != reference
    assert compute_sha256({"a": values.flatten(), "b": values}) != reference


@pytest.fixture(scope="module")
def reference_weights() -> Path:
    if not REFERENCE_WEIGHTS.is_file():
        pytest.skip(f"no reference network at {REFERENCE_WEIGHTS}")
    return REFERENCE_WEIGHTS


def test_reference_weights_load(reference_weights: Path) -> None:
    network = build_network_from_weights(
        "vgg_small", load_foreign_weights(reference_weights, "vgg_small").tensors
    )
    assert network.classifier[-1].out_features == 40


@pytest.mark.slow
def test_reference_network_recognises_whole_photos(
    reference_weights: Path, real_cub: CubDataset
) -> None:
    if len(real_cub.categories) != 40:
        pytest.skip("the reference network knows the first 40 categories of CUB only")
    network = build_network_from_weights(
        "vgg_small", load_foreign_weights(reference_weights, "vgg_small").tensors
    )
    backbone = Backbone(SMALL, flatten_network(network), real_cub.categories)
    held_out = get_held_out(real_cub, "last:10")
    right = []
    for photo in held_out:
        pixels = prepare_image(load_photo(photo), SMALL.input_size, SMALL.mean, SMALL.std)
        _, logits = backbone.compute_features(torch.from_numpy(pixels)[None])
        right.append(int(logits.argmax()) == photo.category_index)
    assert len(right) == 400
    # Without averaging over mirror images, which would give 0.475.
    assert np.mean(right) == pytest.approx(0.46, abs=0.0125)


@pytest.mark.parametrize(
    ("z_layer", "size"),
    [("pool4", 256 * 8 * 8), ("pool4-mean", 256), ("pool2-mean", 64), ("relu1-mean", 32)],
)
@torch.inference_mode()
def test_z_may_be_a_layer_with_height_and_width(
    small_backbone: Backbone, z_layer: str, size: int
) -> None:
    backbone = replace(small_backbone, z_layer=z_layer)
    images = draw_images()
    z, logits = backbone.compute_features(images)
    assert z.shape == (2, size)
    assert backbone.z_size == size
    maps = backbone.layers[: backbone.named_layers[z_layer.removesuffix("-mean")]](images)
    expected = maps.mean((2, 3)) if z_layer.endswith("-mean") else maps.flatten(1)
    torch.testing.assert_close(z, expected, **ROUNDING)
    torch.testing.assert_close(logits, backbone.layers(images), **ROUNDING)


def test_maps_are_taken_no_higher_than_z(small_backbone: Backbone) -> None:
    assert list(replace(small_backbone, z_layer="pool2-mean").stops) == ["relu1", "pool1", "pool2"]
    assert replace(small_backbone, z_layer="fc7").stops == small_backbone.stops


def test_a_z_that_is_too_large_suggests_its_averages(small_backbone: Backbone) -> None:
    with pytest.raises(ExplorerError, match=r"524,288 dimensions.*Choose relu1-mean"):
        replace(small_backbone, z_layer="relu1")


@pytest.mark.parametrize(
    ("architecture", "last"),
    [("vgg_small", "pool4"), ("vgg11", "pool5"), ("alexnet", "pool3"), ("resnet18", "layer4")],
)
def test_the_last_convolution_is_found(architecture: str, last: str) -> None:
    with torch.device("meta"):
        layers = flatten_network(build_network(architecture, 1, batch_norm=False))
    z_layer = get_family(architecture).z_layer
    backbone = Backbone(get_architecture(architecture), layers, ("a",), z_layer)
    place = backbone.named_layers[last]
    expected = place if last == "layer4" else place - 1
    assert backbone.last_convolution == expected
    assert isinstance(layers[expected - 1], nn.ReLU)


@pytest.mark.parametrize(
    ("architecture", "z_layer"),
    [("vgg19", "pool5"), ("resnet50", "avgpool"), ("resnet18", "layer3-mean"), ("alexnet", "fc7")],
)
def test_the_choice_of_z_can_be_checked_without_weights(architecture: str, z_layer: str) -> None:
    check_z_layer(architecture, z_layer)
    with pytest.raises(ExplorerError, match=r"'pool9'.*relu1-mean"):
        check_z_layer(architecture, "pool9")


def test_weights_that_a_hook_makes_are_refused(small_backbone: Backbone) -> None:
    layers = flatten_network(build_network("vgg_small", 12, batch_norm=False))
    prune.random_unstructured(layers[0], "weight", 0.5)
    with pytest.raises(ExplorerError, match=r"Layer 0, Conv2d.*made by a hook"):
        replace(small_backbone, layers=layers)


@pytest.mark.parametrize(("name", "expected"), [("vgg_small", True), ("vgg16", False)])
def test_maps_of_small_networks_are_quick(name: str, expected: bool) -> None:
    layers = flatten_network(build_network(name, 2, batch_norm=False))
    assert Backbone(get_architecture(name), layers, ("a", "b")).is_quick is expected
