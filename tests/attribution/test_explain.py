from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import nn

from explorer.attribution.engine import Engine
from explorer.attribution.excitation import contrastive_mwp
from explorer.attribution.explain import compute_explanation
from explorer.config import ExplorerError
from explorer.nn.backbones.architecture import Architecture
from explorer.nn.backbones.backbone import Backbone
from explorer.nn.explanation import DEFAULT_STOP, Explanation
from explorer.nn.settings import ModuleShape
from explorer.nn.srae import ExplanationModule


@pytest.fixture(scope="module")
def module(small_backbone: Backbone) -> ExplanationModule:
    generator = torch.Generator().manual_seed(0)
    built = ExplanationModule(small_backbone.z_size, ModuleShape(widths=(32,)), generator)
    return built.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(3, 128, 128)).astype(np.float32)


@pytest.fixture(scope="module")
def explanation(
    small_backbone: Backbone, module: ExplanationModule, pixels: np.ndarray
) -> Explanation:
    return compute_explanation(
        Engine(small_backbone, "exact"), module, small_backbone.categories[4], pixels
    )


def test_scores_are_those_of_network_and_module(
    explanation: Explanation,
    small_backbone: Backbone,
    module: ExplanationModule,
    pixels: np.ndarray,
) -> None:
    z, logits = small_backbone.compute_features(torch.from_numpy(pixels)[None])
    outputs = module(z)
    np.testing.assert_allclose(explanation.logits, logits[0], rtol=1e-5, atol=1e-5)
    assert explanation.y_hat == pytest.approx(float(logits[0, 4]))
    assert explanation.y_bar == pytest.approx(float(outputs.y_bar[0]), rel=1e-5)
    np.testing.assert_allclose(explanation.x_features, outputs.x_features[0], rtol=1e-5, atol=1e-6)


def test_contributions_add_up(explanation: Explanation, module: ExplanationModule) -> None:
    assert explanation.contributions.sum() == pytest.approx(explanation.y_bar, rel=1e-5)
    expected = explanation.x_features * module.v.weight[0].numpy()
    np.testing.assert_allclose(explanation.contributions, expected, rtol=1e-6)


def test_maps_are_raw_and_at_the_grid_of_the_stop(
    small_backbone: Backbone, module: ExplanationModule, pixels: np.ndarray
) -> None:
    category = small_backbone.categories[0]
    for stop, side in {"relu1": 128, "pool1": 64, "pool4": 8}.items():
        found = compute_explanation(Engine(small_backbone), module, category, pixels, stop)
        assert found.stop == stop
        assert found.maps.shape == (5, side, side)
        assert found.maps.dtype == np.float32
        assert (found.maps >= 0).all()
        assert found.maps.max() > 0
    assert DEFAULT_STOP == "relu1"


def test_maps_equal_a_direct_call(
    explanation: Explanation,
    small_backbone: Backbone,
    module: ExplanationModule,
    pixels: np.ndarray,
) -> None:
    layers: Sequence[nn.Module] = [
        *small_backbone.trunk,
        module.encoder[0],
        module.encoder[1],
        module.encoder[2],
    ]
    expected = contrastive_mwp(layers, torch.from_numpy(pixels)[None], stop=2, exact=True)
    np.testing.assert_allclose(explanation.maps, expected[0], rtol=1e-5)


def test_hand_solved_network() -> None:
    """One pixel, and two x-features: one for the bird, one against it."""
    layers = nn.Sequential(
        nn.Conv2d(3, 2, 1, bias=False), nn.ReLU(),
        nn.Flatten(),
        nn.Linear(2, 2, bias=False), nn.ReLU(), nn.Dropout(),
        nn.Linear(2, 2, bias=False), nn.ReLU(), nn.Dropout(),
        nn.Linear(2, 1, bias=False),
    ).eval()  # fmt: skip
    layers[0].weight.data = torch.tensor([[1.0, 0, 0], [0, 1.0, 0]])[:, :, None, None]
    for index in (3, 6):
        layers[index].weight.data = torch.eye(2)
    layers[9].weight.data = torch.tensor([[2.0, 1.0]])
    backbone = Backbone(Architecture("tiny", (1, 1)), layers.requires_grad_(False), ("bird",))
    module = ExplanationModule(2, ModuleShape(widths=(2,), x_features=2))
    module.encoder[0].weight.data = torch.eye(2)
    module.encoder[2].weight.data = torch.tensor([[1.0, 1.0], [3.0, -1.0]])
    for index in (0, 2):
        module.encoder[index].bias.data.zero_()
    module.v.weight.data = torch.tensor([[2.0, -1.0]])
    pixels = np.array([3.0, 1.0, 7.0], dtype=np.float32).reshape(3, 1, 1)
    found = compute_explanation(Engine(backbone), module.requires_grad_(False), "bird", pixels)
    assert found.logits.tolist() == [7.0]
    assert found.y_hat == 7.0
    assert found.x_features.tolist() == [4.0, 8.0]
    assert found.contributions.tolist() == [8.0, -8.0]
    assert found.y_bar == 0.0
    # x-feature 0: all weights positive, P+ = (3/4, 1/4), no P-: sums to 1.
    # x-feature 1: P+ = (1, 0), P- = (0, 1): 1 - 1, clamped only after the channels are summed.
    np.testing.assert_allclose(found.maps.reshape(2), [1.0, 0.0], atol=1e-6)


def test_unknown_stop_is_refused(
    small_backbone: Backbone, module: ExplanationModule, pixels: np.ndarray
) -> None:
    with pytest.raises(ExplorerError, match="'conv9'"):
        compute_explanation(
            Engine(small_backbone), module, small_backbone.categories[0], pixels, "conv9"
        )


def test_inputs_are_not_changed_and_no_hook_remains(
    small_backbone: Backbone, module: ExplanationModule, pixels: np.ndarray
) -> None:
    before, copied = small_backbone.sha256, pixels.copy()
    compute_explanation(Engine(small_backbone), module, small_backbone.categories[0], pixels)
    del small_backbone.__dict__["sha256"]
    assert small_backbone.sha256 == before
    assert np.array_equal(copied, pixels)
    assert not any(layer._forward_hooks for layer in small_backbone.layers)
