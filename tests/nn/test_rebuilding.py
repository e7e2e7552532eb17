import numpy as np
import pytest
import torch

from explorer.nn.rebuilding import rebuild_z
from explorer.nn.settings import ModuleShape
from explorer.nn.srae import ExplanationModule, apply_module


@pytest.fixture
def module() -> ExplanationModule:
    generator = torch.Generator().manual_seed(3)
    settings = ModuleShape(x_features=3, widths=(6,))
    return ExplanationModule(4, settings, generator).eval().requires_grad_(False)


@pytest.fixture
def z() -> np.ndarray:
    return np.random.default_rng(5).uniform(0, 2, (7, 4)).astype(np.float32)


def run_layers(layers: torch.nn.Sequential, values: np.ndarray) -> np.ndarray:
    """Compute Linear and ReLU layers with NumPy only."""
    for layer in layers:
        if isinstance(layer, torch.nn.Linear):
            values = values @ layer.weight.numpy().T + layer.bias.numpy()
        else:
            values = np.maximum(values, 0)
    return values


def test_z_is_rebuilt_as_by_the_module(module: ExplanationModule, z: np.ndarray) -> None:
    with torch.inference_mode():
        expected = module(torch.from_numpy(z)).z_reconstructed.numpy()
    np.testing.assert_array_equal(rebuild_z(module, z), expected)
    np.testing.assert_allclose(
        expected, run_layers(module.decoder, run_layers(module.encoder, z)), rtol=1e-5, atol=1e-6
    )


def test_one_x_feature_is_fixed_at_its_mean(module: ExplanationModule, z: np.ndarray) -> None:
    x_features, _ = apply_module(module, z)
    assert (np.ptp(x_features, axis=0) > 0).any()
    for fixed in range(3):
        changed = x_features.copy()
        changed[:, fixed] = x_features[:, fixed].mean()
        np.testing.assert_allclose(
            rebuild_z(module, z, fixed), run_layers(module.decoder, changed), rtol=1e-5, atol=1e-6
        )
    np.testing.assert_array_equal(apply_module(module, z)[0], x_features)
