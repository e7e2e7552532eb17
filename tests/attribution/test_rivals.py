import numpy as np
import pytest
import torch
from torch import nn

from explorer.attribution import contrastive_mwp
from explorer.attribution.engine import Engine
from explorer.attribution.gradcam import compute_grad_cam
from explorer.attribution.rivals import (
    make_grad_cam_draw,
    make_logit_draw,
    make_module_draw,
    make_z_draw,
)
from explorer.nn.backbones.backbone import Backbone


@pytest.fixture
def pixels(small_backbone: Backbone) -> np.ndarray:
    height, width = small_backbone.architecture.input_size
    return np.random.default_rng(0).normal(size=(3, height, width)).astype(np.float32)


def test_maps_are_those_of_the_right_neurons(small_backbone: Backbone, pixels: np.ndarray) -> None:
    images = torch.from_numpy(pixels)[None]
    stop = small_backbone.stops["pool3"]
    layers = list(small_backbone.layers)
    category = small_backbone.categories[1]
    logit = make_logit_draw(Engine(small_backbone), category, "pool3")(pixels)
    expected = contrastive_mwp(layers, images, stop=stop, neurons=[1])[0].numpy()
    np.testing.assert_array_equal(logit, expected)

    z_maps = make_z_draw(Engine(small_backbone), [3, 0], "pool3")(pixels)
    to_z = layers[: small_backbone.z_stop - 1]
    assert isinstance(to_z[-1], nn.Linear)
    expected = contrastive_mwp(to_z, images, stop=stop, neurons=[3, 0])[0].numpy()
    np.testing.assert_array_equal(z_maps, expected)

    top = [nn.Linear(small_backbone.z_size, 2)]
    maps = make_module_draw(Engine(small_backbone), top, "pool3")(pixels)
    assert maps.shape == (2, *expected.shape[1:])


def test_grad_cam_of_a_linear_head_is_known(small_backbone: Backbone, pixels: np.ndarray) -> None:
    category = small_backbone.categories[0]
    images = torch.from_numpy(pixels)[None]
    layers = list(small_backbone.layers)
    pool = max(i for i, layer in enumerate(layers) if isinstance(layer, nn.MaxPool2d))
    activations = nn.Sequential(*layers[:pool])(images).requires_grad_()
    score = nn.Sequential(*layers[pool:])(activations)[0, 0]
    score.backward()
    assert activations.grad is not None
    expected = torch.zeros(activations.shape[2:])
    for channel in range(activations.shape[1]):
        weight = activations.grad[0, channel].mean()
        expected += weight * activations.detach()[0, channel]
    found = make_grad_cam_draw(small_backbone, category)(pixels)
    np.testing.assert_allclose(found[0], expected.clamp(min=0).numpy(), atol=1e-6)


def test_grad_cam_leaves_no_gradient_behind(small_backbone: Backbone, pixels: np.ndarray) -> None:
    compute_grad_cam(small_backbone, torch.from_numpy(pixels)[None], small_backbone.categories[0])
    assert all(p.grad is None for p in small_backbone.layers.parameters())
    assert not any(p.requires_grad for p in small_backbone.layers.parameters())
