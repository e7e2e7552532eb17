import copy
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from explorer.config import REPOSITORY_ROOT, ExplorerError
from explorer.data.cub import CubDataset, load_photo
from explorer.data.splits import get_held_out
from explorer.data.transforms import prepare_image
from explorer.nn.backbones import (
    Backbone,
    Vgg,
    build_network,
    build_network_from_weights,
    compute_sha256,
    flatten_network,
    get_architecture,
    load_imagenet_weights,
)
from explorer.nn.checkpoint import load_foreign_weights

REFERENCE_WEIGHTS = REPOSITORY_ROOT.parent / "shared" / "weights" / "vgg_small_cub40.safetensors"
SMALL = get_architecture("vgg_small")


def build_small(category_count: int = 4, *, batch_norm: bool) -> Vgg:
    """Return a vgg_small whose batch norms have seen something."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        network = build_network("vgg_small", category_count, batch_norm=batch_norm)
        for layer in network.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.running_mean.normal_(0, 0.2)
                layer.running_var.uniform_(0.5, 2)
                nn.init.uniform_(layer.weight, 0.5, 1.5)
                nn.init.normal_(layer.bias, 0, 0.2)
    return network


def draw_images(count: int = 2, size: int = 128) -> Tensor:
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(5))


@pytest.fixture(scope="module")
def weights() -> dict[str, Tensor]:
    return {name: t.clone() for name, t in build_small(batch_norm=False).state_dict().items()}


@pytest.mark.parametrize("batch_norm", [False, True])
@torch.inference_mode()
def test_flattened_layers_compute_the_same(batch_norm: bool) -> None:
    network = build_small(batch_norm=batch_norm).eval()
    images = draw_images()
    layers = flatten_network(network)
    torch.testing.assert_close(layers(images), network(images), rtol=1e-4, atol=1e-5)
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in layers)


def test_flattening_leaves_the_network_alone() -> None:
    network = build_small(batch_norm=True).train()
    before = copy.deepcopy(network.state_dict())
    layers = flatten_network(network)
    assert all(module.training for module in network.modules())
    assert all(parameter.requires_grad for parameter in network.parameters())
    for layer in layers:
        for parameter in layer.parameters():
            nn.init.zeros_(parameter)
    after = network.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_flattened_layers_are_frozen_and_never_work_in_place() -> None:
    layers = flatten_network(build_small(batch_norm=True))
    assert not any(module.training for module in layers.modules())
    assert not any(parameter.requires_grad for parameter in layers.parameters())
    assert not any(getattr(layer, "inplace", False) for layer in layers)


def test_vgg_small_is_what_it_is_said_to_be() -> None:
    layers = flatten_network(build_small(40, batch_norm=True))
    described = [
        layer.out_channels if isinstance(layer, nn.Conv2d) else "P"
        for layer in layers
        if isinstance(layer, nn.Conv2d | nn.MaxPool2d)
    ]
    assert described == [32, "P", 64, "P", 128, 128, "P", 256, 256, "P"]
    linears = [layer for layer in layers if isinstance(layer, nn.Linear)]
    sizes = [(a.in_features, a.out_features) for a in linears]
    assert sizes == [(4096, 512), (512, 512), (512, 40)]
    convolutions = [layer for layer in layers if isinstance(layer, nn.Conv2d)]
    assert {(a.kernel_size, a.stride, a.padding) for a in convolutions} == {
        ((3, 3), (1, 1), (1, 1))
    }
    assert SMALL.input_size == (128, 128)
    assert SMALL.mean == (0.485, 0.456, 0.406)
    assert SMALL.std == (0.229, 0.224, 0.225)
    with torch.inference_mode():
        assert layers[:16](draw_images(1)).shape == (1, 256, 8, 8)


@torch.inference_mode()
def test_stops_lie_behind_the_first_relu_and_the_pools(small_backbone: Backbone) -> None:
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
    torch.testing.assert_close(backbone.layers[backbone.z_stop :](z), logits)
    torch.testing.assert_close(backbone.layers(images), logits)
    positions = [i for i, layer in enumerate(backbone.layers) if isinstance(layer, nn.Linear)]
    torch.testing.assert_close(backbone.layers[: positions[linear] + 2](images), z)


def test_layers_to_an_encoder_pass_through_z(small_backbone: Backbone) -> None:
    encoder = [nn.Linear(512, 3)]
    layers = small_backbone.get_layers_to(encoder)
    assert layers[-1] is encoder[0]
    assert isinstance(layers[-2], nn.ReLU)
    assert len(layers) == small_backbone.z_stop + 1


@pytest.mark.parametrize(("name", "convolutions"), [("vgg16", 13), ("vgg19", 16)])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_large_vggs_have_the_right_stops(name: str, convolutions: int, batch_norm: bool) -> None:
    with torch.device("meta"):  # shapes alone: the real thing takes half a gigabyte
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
    first, second = backbone.z_stop, replace(backbone, z_layer="fc7").z_stop
    assert layers[first - 2].in_features == 512 * 7 * 7
    assert second == first + 3
    assert layers(images).shape == (1, 200)


def test_torchvision_can_be_imported_in_a_fresh_process() -> None:
    code = (
        "from explorer.nn.torchvision_guard import import_torchvision as load;"
        "vision = load(); assert load() is vision; vision.models.vgg16; import torchvision"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr


def test_weights_make_the_network_they_came_from(weights: dict[str, Tensor]) -> None:
    state = torch.random.get_rng_state()
    network = build_network_from_weights("vgg_small", weights).eval()
    assert torch.equal(state, torch.random.get_rng_state())
    original = build_small(batch_norm=False).eval()
    with torch.inference_mode():
        assert torch.equal(network(draw_images(1)), original(draw_images(1)))


def test_batch_norm_is_recognised_and_its_counters_may_be_missing() -> None:
    original = build_small(batch_norm=True).eval()
    weights = {n: t for n, t in original.state_dict().items() if "num_batches" not in n}
    network = build_network_from_weights("vgg_small", weights).eval()
    with torch.inference_mode():
        assert torch.equal(network(draw_images(1)), original(draw_images(1)))


def test_loaded_network_does_not_share_memory_with_the_weights(
    weights: dict[str, Tensor],
) -> None:
    before = weights["features.0.weight"].clone()
    nn.init.zeros_(build_network_from_weights("vgg_small", weights).features[0].weight)
    assert torch.equal(weights["features.0.weight"], before)


def spoil(weights: dict[str, Tensor], kind: str) -> dict[str, Tensor]:
    spoilt = dict(weights)
    if kind == "missing":
        del spoilt["features.3.weight"]
    elif kind == "shape":
        spoilt["features.3.weight"] = torch.zeros(64, 32, 5, 5)
    elif kind == "unknown":
        spoilt["features.99.weight"] = torch.zeros(3)
    elif kind in ("nan", "inf"):
        spoilt["features.3.weight"] = torch.full((64, 32, 3, 3), float(kind))
    elif kind == "headless":
        spoilt = {n: t for n, t in weights.items() if not n.startswith("classifier")}
    else:
        spoilt["classifier.6.bias"] = torch.tensor(1.0)
    return spoilt


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("missing", r"lack 'features.3.weight'"),
        ("shape", r"'features.3.weight' has shape \(64, 32, 5, 5\).*needs \(64, 32, 3, 3\)"),
        ("unknown", r"'features.99.weight'"),
        ("nan", r"'features.3.weight' holds NaN"),
        ("inf", r"'features.3.weight' holds NaN or infinite"),
        ("headless", r"no 'classifier.6.bias'"),
        ("scalar", r"'classifier.6"),
    ],
)
def test_wrong_weights_are_refused_by_name(
    weights: dict[str, Tensor], kind: str, message: str
) -> None:
    with pytest.raises(ExplorerError, match=message):
        build_network_from_weights("vgg_small", spoil(weights, kind))


def test_weights_of_another_architecture_are_refused(weights: dict[str, Tensor]) -> None:
    with pytest.raises(ExplorerError, match=r"needs.*--arch"):
        build_network_from_weights("vgg16", weights)
    with pytest.raises(ExplorerError, match=r"'resnet50'.*vgg19, vgg16, vgg_small"):
        build_network_from_weights("resnet50", weights)


def test_vgg_small_has_no_imagenet_weights() -> None:
    with pytest.raises(ExplorerError, match="from scratch"):
        load_imagenet_weights("vgg_small")


def test_a_backbone_needs_a_name_for_every_output(small_backbone: Backbone) -> None:
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


def test_a_new_head_keeps_the_rest() -> None:
    network = build_small(batch_norm=False)
    before = network.classifier[3].weight
    network.replace_head(9)
    assert network.classifier[-1].out_features == 9
    assert network.classifier[3].weight is before


@pytest.fixture(scope="module")
def reference_weights() -> Path:
    if not REFERENCE_WEIGHTS.is_file():
        pytest.skip(f"no reference network at {REFERENCE_WEIGHTS}")
    return REFERENCE_WEIGHTS


def test_reference_weights_load(reference_weights: Path) -> None:
    network = build_network_from_weights("vgg_small", load_foreign_weights(reference_weights))
    assert network.classifier[-1].out_features == 40


@pytest.mark.slow
def test_reference_network_recognises_whole_photos(
    reference_weights: Path, real_cub: CubDataset
) -> None:
    if len(real_cub.categories) != 40:
        pytest.skip("the reference network knows the first 40 categories of CUB only")
    network = build_network_from_weights("vgg_small", load_foreign_weights(reference_weights))
    backbone = Backbone(SMALL, flatten_network(network), real_cub.categories)
    held_out = get_held_out(real_cub, "last:10")
    right = []
    for photo in held_out:
        pixels = prepare_image(load_photo(photo), SMALL.input_size, SMALL.mean, SMALL.std)
        _, logits = backbone.compute_features(torch.from_numpy(pixels)[None])
        right.append(int(logits.argmax()) == photo.category_index)
    assert len(right) == 400
    # Whole photos, not averaged with their mirror images, which would give 0.475.
    assert np.mean(right) == pytest.approx(0.46, abs=0.0125)
