"""Maps inside a loss: by hand, against finite differences, and for groups of modules."""

import pytest
import torch
from torch import Tensor, nn

from explorer.methods.srae import SraeSettings
from explorer.nn.grouped import ModuleGroup
from explorer.nn.losses import compute_pull_away
from explorer.nn.module_maps import compute_cell_maps, compute_heat_at_z
from explorer.nn.srae import ExplanationModule

Z = torch.tensor([[1.0, 2.0]])
# Dimension 0 of Z comes from the first of two pixels, dimension 1 from both.
Z_MAPS = torch.tensor([[[1.0, 0.0], [0.5, 0.5]]])


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def small() -> ExplanationModule:
    """Return a module with two hidden units, which are (3, 2) on `Z`, and two x-features."""
    module = ExplanationModule(2, SraeSettings(widths=(2,), x_features=2), seeded())
    with torch.no_grad():
        set_layer(module.encoder[0], [[1.0, 1.0], [0.0, 1.0]])
        set_layer(module.encoder[2], [[1.0, -1.0], [1.0, 2.0]])
    return module


def set_layer(layer: nn.Module, weight: list[list[float]]) -> None:
    assert isinstance(layer, nn.Linear)
    layer.weight.copy_(torch.tensor(weight))
    layer.bias.zero_()


def test_heat_at_z_by_hand(small: ExplanationModule) -> None:
    # X-feature 0: P⁺ = (1, 0) and P⁻ = (0, 1). X-feature 1: P⁺ = (3/7, 4/7), and nothing inhibits.
    # Below, hidden unit 0 passes on a third of P per unit of Z, and unit 1 a half.
    expected = torch.tensor([[[1 / 3, -1 / 3], [1 / 7, 6 / 7]]])
    torch.testing.assert_close(compute_heat_at_z(small, Z), expected)


def test_pull_away_of_maps_by_hand(small: ExplanationModule) -> None:
    maps = compute_cell_maps(compute_heat_at_z(small, Z), Z_MAPS)
    torch.testing.assert_close(maps, torch.tensor([[[1 / 6, 0], [4 / 7, 3 / 7]]]))
    cosine = 4 / 5  # of (1, 0) with (4, 3)
    assert compute_pull_away(maps.mT).item() == pytest.approx(cosine**2)


def test_gradients_are_those_of_finite_differences() -> None:
    module = ExplanationModule(4, SraeSettings(widths=(6,), x_features=2), seeded(1)).double()
    z = torch.rand(3, 4, generator=seeded(1)).double()
    z_maps = torch.rand(3, 4, 5, generator=seeded(2)).double()

    def compute() -> Tensor:
        return compute_pull_away(compute_cell_maps(compute_heat_at_z(module, z), z_maps).mT).mean()

    compute().backward()
    step, weights = 1e-6, [*module.encoder.parameters()]
    for weight, gradient in ((w, w.grad) for w in weights if w.grad is not None):
        flat = weight.data.view(-1)
        expected = torch.zeros_like(flat)
        for index in range(len(flat)):
            for sign in (1, -1):
                flat[index] += sign * step
                expected[index] += sign * compute().detach() / (2 * step)
                flat[index] -= sign * step
        torch.testing.assert_close(gradient.view(-1), expected, rtol=1e-4, atol=1e-7)
    assert sum(w.grad is not None and bool(w.grad.any()) for w in weights) >= 3


def test_the_pull_away_of_maps_can_be_trained() -> None:
    module = ExplanationModule(6, SraeSettings(widths=(5,), x_features=3), seeded(3))
    z = torch.rand(8, 6, generator=seeded(1))
    z_maps = torch.rand(8, 6, 9, generator=seeded(2)) ** 4
    optimiser = torch.optim.Adam(module.encoder.parameters(), lr=0.01)
    losses = []
    for _ in range(60):
        maps = compute_cell_maps(compute_heat_at_z(module, z), z_maps)
        loss = compute_pull_away(maps.mT).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2


def test_an_empty_photo_and_a_dead_layer_have_no_heat_and_finite_gradients(
    small: ExplanationModule,
) -> None:
    small.encoder[0].bias.data.fill_(-100)
    for z in (torch.zeros(1, 2), Z):
        heat = compute_heat_at_z(small, z)
        assert not heat.any()
        heat.sum().backward()
        for parameter in small.encoder.parameters():
            assert parameter.grad is None or parameter.grad.isfinite().all()


def test_modules_in_a_group_have_the_same_heat_as_alone() -> None:
    settings = SraeSettings(widths=(5, 4), x_features=3)
    modules = [ExplanationModule(8, settings, seeded(seed)) for seed in range(3)]
    z = torch.rand(3, 6, 8, generator=seeded(5))
    together = compute_heat_at_z(ModuleGroup(modules), z)
    assert together.shape == (3, 6, 3, 8)
    for module, own, heat in zip(modules, z, together, strict=True):
        torch.testing.assert_close(compute_heat_at_z(module, own), heat)
