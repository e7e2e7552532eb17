import numpy as np
import pytest
import torch
from torch import nn

from explorer.attribution.gradcam import compute_grad_cam, draw_grad_cam
from explorer.nn.backbones.backbone import Backbone


@pytest.fixture
def pixels(small_backbone: Backbone) -> np.ndarray:
    height, width = small_backbone.architecture.input_size
    return np.random.default_rng(0).normal(size=(3, height, width)).astype(np.float32)


def test_grad_cam_follows_its_equations(small_backbone: Backbone, pixels: np.ndarray) -> None:
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
    found = draw_grad_cam(small_backbone, pixels, category)
    np.testing.assert_allclose(found[0], expected.clamp(min=0).numpy(), atol=1e-6)


def test_grad_cam_keeps_no_gradients(small_backbone: Backbone, pixels: np.ndarray) -> None:
    compute_grad_cam(small_backbone, torch.from_numpy(pixels)[None], small_backbone.categories[0])
    assert all(p.grad is None for p in small_backbone.layers.parameters())
    assert not any(p.requires_grad for p in small_backbone.layers.parameters())
