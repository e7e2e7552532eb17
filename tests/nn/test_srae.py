from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from explorer.config import ExplorerError
from explorer.nn.settings import ModuleShape, scale_widths
from explorer.nn.srae import ExplanationModule


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_reconstruction_is_optional() -> None:
    module = ExplanationModule(16, ModuleShape(), seeded())
    z = torch.rand(4, 16, generator=seeded(1))
    full, partial = module(z), module(z, rebuild=False)
    assert torch.equal(full.y_bar, partial.y_bar)
    assert torch.equal(full.x_features, partial.x_features)
    assert partial.z_reconstructed.numel() == 0


def test_contributions_add_up_to_the_score() -> None:
    module = ExplanationModule(32, ModuleShape(), seeded())
    outputs = module(torch.rand(7, 32, generator=seeded(1)))
    contributions = outputs.x_features * module.v.weight[0]
    torch.testing.assert_close(contributions.sum(1), outputs.y_bar)
    assert outputs.y_bar.shape == (7,)


def test_v_has_no_bias_so_zero_z_scores_zero() -> None:
    module = ExplanationModule(8, ModuleShape(widths=(4,)), seeded())
    assert module.v.bias is None
    for layer in module.encoder:
        if isinstance(layer, nn.Linear):
            nn.init.zeros_(layer.bias)
    assert float(module(torch.zeros(1, 8)).y_bar.detach()) == 0


def test_a_base_is_the_score_without_x_features() -> None:
    module = ExplanationModule(8, ModuleShape(widths=(4,), has_base=True), seeded())
    assert module.v.bias.item() == pytest.approx(0.01), "as all biases"
    z = torch.rand(5, 8, generator=seeded(1))
    outputs = module(z)
    nn.init.constant_(module.v.bias, -7.0)
    torch.testing.assert_close(module(z).y_bar, outputs.y_bar - 7.01)
    contributions = module.compute_contributions(outputs.x_features)
    torch.testing.assert_close(contributions.sum(1) - 7, module(z).y_bar)


@given(seed=st.integers(0, 100))
def test_x_features_and_reconstruction_are_never_negative(seed: int) -> None:
    module = ExplanationModule(16, ModuleShape(widths=(8,)), seeded(seed))
    outputs = module(torch.randn(9, 16, generator=seeded(seed + 1)))
    assert (outputs.x_features >= 0).all()
    assert (outputs.z_reconstructed >= 0).all()


def test_without_a_generator_weights_are_drawn_as_well() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = ExplanationModule(8, ModuleShape(widths=(4,)))
    assert all(parameter.device.type == "cpu" for parameter in module.parameters())
    assert 0 < float(module.v.weight.detach().abs().max()) < 10
    assert module.v.bias is None


def test_encoder_and_decoder_mirror_each_other() -> None:
    module = ExplanationModule(40, ModuleShape(widths=(30, 20), x_features=3))
    encoder = [layer for layer in module.encoder if isinstance(layer, nn.Linear)]
    decoder = [layer for layer in module.decoder if isinstance(layer, nn.Linear)]
    assert [(a.in_features, a.out_features) for a in encoder] == [(40, 30), (30, 20), (20, 3)]
    assert [(a.in_features, a.out_features) for a in decoder] == [(3, 20), (20, 30), (30, 40)]
    for stack in (module.encoder, module.decoder):
        assert [type(layer) for layer in stack] == [nn.Linear, nn.ReLU] * 3


def test_attribution_layers_stop_before_the_last_relu() -> None:
    module = ExplanationModule(16, ModuleShape(widths=(8,)), seeded())
    layers = module.get_attribution_layers()
    assert isinstance(layers[-1], nn.Linear)
    assert layers[-1].out_features == 5
    z = torch.rand(3, 16, generator=seeded(1))
    torch.testing.assert_close(nn.Sequential(*layers)(z).relu(), module(z).x_features)


@pytest.mark.parametrize(
    ("z_size", "x_features", "widths"),
    [(4096, 5, (800, 100)), (512, 5, (100, 20)), (512, 10, (100, 40)), (16, 5, (20, 20))],
)
def test_widths_scale_with_z(z_size: int, x_features: int, widths: tuple[int, ...]) -> None:
    assert scale_widths(ModuleShape(x_features=x_features), z_size).widths == widths
    assert ExplanationModule(16, ModuleShape()).settings.widths == (20, 20)


def test_given_widths_are_kept() -> None:
    settings = ModuleShape(widths=(7,))
    assert scale_widths(settings, 4096) is settings


def test_a_given_generator_keeps_the_global_state() -> None:
    before = torch.random.get_rng_state()
    module = ExplanationModule(16, ModuleShape(), seeded())
    assert torch.equal(before, torch.random.get_rng_state())
    assert all(parameter.isfinite().all() for parameter in module.parameters())
    assert all(parameter.requires_grad for parameter in module.parameters())


def test_same_seed_same_weights_other_seed_other_weights() -> None:
    one, same, other = (ExplanationModule(16, ModuleShape(), seeded(s)) for s in (1, 1, 2))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), same.parameters(), strict=True))
    assert not torch.equal(one.v.weight, other.v.weight)
    assert not torch.equal(one.encoder[0].weight, other.encoder[0].weight)


@pytest.mark.parametrize("change", [{"x_features": 0}, {"widths": (8, 0)}, {"widths": (2**21,)}])
def test_invalid_shapes_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ExplorerError, match="must be at least 1"):
        replace(ModuleShape(), **change)
