"""Maps for any choice of Z, in networks of several families."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from explorer.attribution import contrastive_mwp, mwp
from explorer.attribution.engine import Engine
from explorer.attribution.gradcam import draw_grad_cam
from explorer.attribution.z_maps import compute_z_maps
from explorer.methods.srae import SraeSettings
from explorer.nn.backbones.architecture import Architecture
from explorer.nn.backbones.backbone import Backbone
from explorer.nn.backbones.build import build_network, flatten_network
from explorer.nn.module_maps import compute_cell_maps, compute_heat_at_z
from explorer.nn.srae import ExplanationModule

SIDE = 64
CASES = [
    ("vgg_small", "pool4"),
    ("vgg_small", "pool4-mean"),
    ("vgg_small", "pool3-mean"),
    ("vgg_small", "fc7"),
    ("resnet18", "avgpool"),
    ("resnet18", "layer4"),
    ("resnet18", "layer3-mean"),
    ("resnet50", "avgpool"),
]
HIGHEST = {
    "vgg_small": "pool4",
    "vgg_small_gap": "pool4",
    "resnet18": "layer4",
    "resnet50": "layer4",
}


def build_backbone(name: str, z_layer: str) -> Backbone:
    with torch.random.fork_rng():
        torch.manual_seed(2)
        network = build_network(name, 3, batch_norm=True)
        for layer in network.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.running_mean.normal_(0, 0.1)
                layer.running_var.uniform_(0.5, 2)
    return Backbone(
        Architecture(name, (SIDE, SIDE)), flatten_network(network), ("a", "b", "c"), z_layer
    )


def draw_pixels(seed: int = 0) -> np.ndarray:
    coarse = torch.randn((1, 3, 9, 9), generator=torch.Generator().manual_seed(seed))
    return nn.functional.interpolate(coarse, (SIDE, SIDE), mode="bicubic")[0].numpy()


def build_top(backbone: Backbone) -> list[nn.Module]:
    top = [nn.Linear(backbone.z_size, 16), nn.ReLU(), nn.Linear(16, 4)]
    for layer in (top[0], top[2]):
        nn.init.kaiming_normal_(layer.weight, generator=torch.Generator().manual_seed(4))
    return [layer.requires_grad_(False) for layer in top]


def compute_exact(layers: list[nn.Module], stop: int, method=contrastive_mwp, **options):
    doubles = copy.deepcopy(layers)
    for layer in doubles:
        layer.double()
    images = torch.from_numpy(draw_pixels())[None].double()
    return method(doubles, images, stop=stop, **options)[0].numpy()


def assert_close(found: np.ndarray, expected: np.ndarray) -> None:
    assert found.shape == expected.shape
    assert expected.any()
    assert np.linalg.norm(found - expected) <= 1e-4 * np.linalg.norm(expected)


@pytest.mark.parametrize(("name", "z_layer"), CASES)
def test_maps_equal_those_of_a_single_list_of_layers(name: str, z_layer: str) -> None:
    backbone = build_backbone(name, z_layer)
    engine, top, pixels = Engine(backbone), build_top(backbone), draw_pixels()
    stop = backbone.get_stop("pool1")
    to_z = [*backbone.trunk, *backbone.readout]
    of_module = compute_exact([*to_z, *top], stop)
    of_score = compute_exact(list(backbone.layers), stop, neurons=[1])
    for _ in range(2):  # the second time from the cache, which drawing must not have changed
        assert_close(engine.draw(pixels, top, "pool1"), of_module)
        assert_close(engine.draw_logit(pixels, "b", "pool1"), of_score)


@pytest.mark.parametrize(("name", "z_layer"), CASES)
def test_z_and_logits_are_those_of_the_network(name: str, z_layer: str) -> None:
    backbone = build_backbone(name, z_layer)
    z, logits = Engine(backbone).score(draw_pixels(), "relu1")
    expected_z, expected = backbone.compute_features(torch.from_numpy(draw_pixels())[None])
    assert z.dtype == logits.dtype == np.float32
    np.testing.assert_allclose(z, expected_z[0], rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(logits, expected[0], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "z_layer"), [case for case in CASES if not case[1].startswith("fc")]
)
def test_a_dimension_of_pooled_z_is_drawn_by_itself(name: str, z_layer: str) -> None:
    backbone = build_backbone(name, z_layer)
    z, _ = Engine(backbone).score(draw_pixels(), "relu1")
    firing = np.flatnonzero(z > 0)
    neurons = [int(firing[0]), int(firing[-1])]
    found = Engine(backbone).draw(draw_pixels(), [], "pool1", neurons)
    # A Linear on top in which each output has a single weight, to one dimension of Z.
    readers = nn.Linear(backbone.z_size, 2, bias=False).requires_grad_(False)
    readers.weight.zero_()
    readers.weight[[0, 1], neurons] = 1
    layers = [*backbone.trunk, *backbone.readout, readers]
    assert_close(found, compute_exact(layers, backbone.get_stop("pool1"), mwp))


def test_an_inactive_dimension_has_an_empty_map() -> None:
    backbone = build_backbone("vgg_small", "pool4")
    z, _ = Engine(backbone).score(draw_pixels(), "relu1")
    silent = int(np.flatnonzero(z == 0)[0])
    assert not Engine(backbone).draw(draw_pixels(), [], "relu1", [silent]).any()


@pytest.mark.parametrize(
    ("name", "z_layer", "side"),
    [("vgg_small", "pool4-mean", 8), ("resnet18", "avgpool", 2), ("resnet18", "layer2-mean", 2)],
)
def test_grad_cam_is_drawn_at_the_last_convolution(name: str, z_layer: str, side: int) -> None:
    heat = draw_grad_cam(build_backbone(name, z_layer), draw_pixels(), "b")
    assert heat.shape == (1, side, side)
    assert (heat >= 0).all()


@pytest.mark.parametrize(
    ("name", "z_layer"), [*CASES, ("vgg_small", "fc6"), ("vgg_small_gap", "avgpool")]
)
def test_maps_of_z_give_the_maps_that_the_engine_draws_of_a_module(name: str, z_layer: str) -> None:
    backbone = build_backbone(name, z_layer)
    below = z_layer.removesuffix("-mean")
    stop = below if below in backbone.stops and below != "avgpool" else HIGHEST[name]
    module = ExplanationModule(
        backbone.z_size, SraeSettings(widths=(16,)), torch.Generator().manual_seed(3)
    )
    images = torch.from_numpy(np.stack([draw_pixels(0), draw_pixels(1)]))
    z_maps = compute_z_maps(backbone, images)
    z = backbone.compute_features(images)[0].clone()
    found = compute_cell_maps(compute_heat_at_z(module, z), z_maps)
    engine = Engine(backbone)
    for own, pixels in zip(found, images.numpy(), strict=True):
        expected = engine.draw(pixels, module.get_attribution_layers(), stop)
        expected = torch.from_numpy(expected).flatten(1)
        assert expected.any()
        assert (own - expected).norm() <= 1e-3 * expected.norm()


def test_maps_of_z_are_shares_of_what_excites_each_dimension() -> None:
    backbone = build_backbone("vgg_small", "fc6")
    images = torch.from_numpy(draw_pixels())[None]
    z_maps = compute_z_maps(backbone, images)
    is_active = backbone.compute_features(images)[0] > 0
    sums = z_maps.sum(dim=-1)
    assert z_maps.shape == (1, 512, 16)
    assert (z_maps >= 0).all()
    assert not sums[~is_active].any()
    torch.testing.assert_close(sums[is_active], torch.ones_like(sums[is_active]))
