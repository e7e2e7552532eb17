from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from explorer.config import ExplorerError
from explorer.nn.settings import ModuleSettings, scale_widths
from explorer.nn.srae import (
    ExplanationModule,
    ModuleOutputs,
    compute_loss,
    compute_pull_away,
    compute_sparse_reconstruction,
)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_mean_over_photos_is_inside_the_log() -> None:
    z = torch.tensor([[0.5, 2.0], [0.5, 2.0]])
    rebuilt = torch.tensor([[1.5, 2.0], [3.5, 2.0]])
    # Dimension 0: mean of 1 and 9 is 5, so log(1 + 2 * 5); dimension 1 is exact and counts 0.
    inside = torch.tensor(11.0).log() / 2
    outside = (torch.tensor(3.0).log() + torch.tensor(19.0).log()) / 4
    found = compute_sparse_reconstruction(rebuilt, z, q=2.0)
    torch.testing.assert_close(found, inside)
    assert abs(float(found - outside)) > 0.1


def test_sparse_reconstruction_is_a_mean_over_dimensions() -> None:
    z = torch.zeros(1, 4)
    rebuilt = torch.tensor([[1.0, 2.0, 0.0, 0.0]])
    expected = (torch.tensor(101.0).log() + torch.tensor(401.0).log()) / 4
    torch.testing.assert_close(compute_sparse_reconstruction(rebuilt, z, q=100.0), expected)


def test_sparse_reconstruction_prefers_one_bad_dimension_to_many_half_bad() -> None:
    z = torch.zeros(1, 4)
    one = compute_sparse_reconstruction(torch.tensor([[2.0, 0, 0, 0]]), z, 100.0)
    spread = compute_sparse_reconstruction(torch.ones(1, 4), z, 100.0)
    assert one < spread, "the same squared error in all"


OUTPUTS = ModuleOutputs(
    x_features=torch.tensor([[3.0, 0.0], [4.0, 5.0]]),
    y_bar=torch.tensor([1.0, 4.0]),
    z_reconstructed=torch.tensor([[1.5, 2.0], [3.5, 2.0]]),
)
Z, Y_HAT = torch.tensor([[0.5, 2.0], [0.5, 2.0]]), torch.tensor([2.0, 1.0])
FAITHFULNESS = (1 + 9) / 2
COSINE = 20 / (5 * 5)


def test_loss_adds_up_by_hand() -> None:
    settings = ModuleSettings(beta=3.0, q=2.0, pull_away=0.5)
    loss = compute_loss(OUTPUTS, Z, Y_HAT, settings)
    reconstruction = 3 * torch.tensor(11.0).log().item() / 2
    assert float(loss.faithfulness) == pytest.approx(FAITHFULNESS)
    assert float(loss.reconstruction) == pytest.approx(reconstruction)
    assert float(loss.pull_away) == pytest.approx(0.5 * COSINE**2)
    assert float(loss.total) == pytest.approx(FAITHFULNESS + reconstruction + 0.5 * COSINE**2)


@pytest.mark.parametrize("method", ["nn", "sae"])
def test_only_srae_has_the_sparse_term(method: str) -> None:
    loss = compute_loss(OUTPUTS, Z, Y_HAT, ModuleSettings(method=method, beta=3.0))
    assert float(loss.total) == float(loss.faithfulness) == pytest.approx(FAITHFULNESS)
    assert float(loss.reconstruction) == float(loss.pull_away) == 0


def test_the_joint_autoencoder_has_a_plain_mean_in_the_place_of_the_log() -> None:
    settings = ModuleSettings(method="jointsae", beta=3.0)
    loss = compute_loss(OUTPUTS, Z, Y_HAT, settings)
    assert float(loss.reconstruction) == pytest.approx(3 * (1 + 9) / 4)
    assert float(loss.total) == pytest.approx(FAITHFULNESS + 3 * (1 + 9) / 4)


def test_beta_of_zero_leaves_the_sparse_term_out() -> None:
    loss = compute_loss(OUTPUTS, Z, Y_HAT, ModuleSettings(beta=0.0))
    assert float(loss.total) == pytest.approx(FAITHFULNESS)


def test_pull_away_by_hand() -> None:
    # Cosines: columns 0 and 1 are parallel (1), column 2 is at a right angle to both (0).
    x_features = torch.tensor([[1.0, 2.0, 0.0], [0.0, 0.0, 5.0]])
    assert float(compute_pull_away(x_features)) == pytest.approx(1 / 3)


def test_pull_away_of_a_dead_x_feature_is_zero_and_has_a_finite_gradient() -> None:
    x_features = torch.tensor([[1.0, 0.0], [2.0, 0.0]], requires_grad=True)
    value = compute_pull_away(x_features)
    value.backward()
    assert float(value.detach()) == 0
    assert x_features.grad is not None
    assert x_features.grad.isfinite().all()


def test_pull_away_of_one_x_feature_is_zero() -> None:
    assert float(compute_pull_away(torch.ones(4, 1))) == 0
    assert compute_pull_away(torch.ones(2, 4, 1)).tolist() == [0, 0], "two modules side by side"


def test_pull_away_counts_examples_by_their_own_shares() -> None:
    x_features = torch.rand(2, 3, 4, generator=seeded(1))
    shares = torch.tensor([[0.5, 0.5, 0], [0, 0.25, 0.75]])
    together = compute_pull_away(x_features, shares)
    for index in range(2):
        torch.testing.assert_close(
            together[index], compute_pull_away(x_features[index], shares[index])
        )


@given(seed=st.integers(0, 1000), scale=st.floats(0.01, 100))
def test_pull_away_ignores_scale_and_stays_in_bounds(seed: int, scale: float) -> None:
    x_features = torch.rand(6, 4, generator=seeded(seed))
    value = float(compute_pull_away(x_features))
    assert -1e-6 <= value <= 1 + 1e-6
    assert float(compute_pull_away(x_features * scale)) == pytest.approx(value, abs=1e-5)


@pytest.mark.parametrize("method", ["srae", "nn", "jointsae"])
def test_modules_side_by_side_have_the_losses_that_they_have_alone(method: str) -> None:
    settings = ModuleSettings(method=method, widths=(8,), pull_away=0.5)
    module = ExplanationModule(16, settings, seeded())
    z, y_hat = torch.rand(3, 6, 16, generator=seeded(1)), torch.rand(3, 6, generator=seeded(2))
    together = compute_loss(module(z), z, y_hat, settings)
    for index in range(3):
        alone = compute_loss(module(z[index]), z[index], y_hat[index], settings)
        for one, other in zip(together, alone, strict=True):
            torch.testing.assert_close(one[index], other)


@pytest.mark.parametrize("method", ["srae", "nn", "jointsae"])
def test_examples_that_count_nothing_change_no_loss_and_no_gradient(method: str) -> None:
    settings = ModuleSettings(method=method, widths=(8,), pull_away=0.5)
    z, y_hat = torch.rand(6, 16, generator=seeded(1)), torch.rand(6, generator=seeded(2))
    shares = torch.tensor([0.25, 0.25, 0.25, 0.25, 0, 0])
    one, other = (ExplanationModule(16, settings, seeded()) for _ in range(2))
    padded = compute_loss(one(z), z, y_hat, settings, shares)
    plain = compute_loss(other(z[:4]), z[:4], y_hat[:4], settings)
    torch.testing.assert_close(tuple(padded), tuple(plain))
    padded.total.backward()
    plain.total.backward()
    for found, expected in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(found.grad, expected.grad)


def test_an_example_that_counts_double_is_one_that_is_there_twice() -> None:
    shares = torch.tensor([1 / 3, 2 / 3])
    twice = ModuleOutputs(*(torch.cat([part, part[1:]]) for part in OUTPUTS))
    settings = ModuleSettings(beta=3.0, q=2.0, pull_away=0.5)
    weighted = compute_loss(OUTPUTS, Z, Y_HAT, settings, shares)
    counted = compute_loss(twice, Z[[0, 1, 1]], torch.tensor([2.0, 1.0, 1.0]), settings)
    torch.testing.assert_close(tuple(weighted), tuple(counted))


def test_what_need_not_be_rebuilt_is_not() -> None:
    module = ExplanationModule(16, ModuleSettings(), seeded())
    z = torch.rand(4, 16, generator=seeded(1))
    whole, part = module(z), module(z, rebuild=False)
    assert torch.equal(whole.y_bar, part.y_bar)
    assert torch.equal(whole.x_features, part.x_features)
    assert part.z_reconstructed.numel() == 0


def test_contributions_add_up_to_the_score() -> None:
    module = ExplanationModule(32, ModuleSettings(), seeded())
    outputs = module(torch.rand(7, 32, generator=seeded(1)))
    contributions = outputs.x_features * module.v.weight[0]
    torch.testing.assert_close(contributions.sum(1), outputs.y_bar)
    assert outputs.y_bar.shape == (7,)


def test_v_has_no_bias_so_nothing_seen_scores_nothing() -> None:
    module = ExplanationModule(8, ModuleSettings(widths=(4,)), seeded())
    assert module.v.bias is None
    for layer in module.encoder:
        if isinstance(layer, nn.Linear):
            nn.init.zeros_(layer.bias)
    assert float(module(torch.zeros(1, 8)).y_bar.detach()) == 0


@given(seed=st.integers(0, 100))
def test_x_features_and_reconstruction_are_never_negative(seed: int) -> None:
    module = ExplanationModule(16, ModuleSettings(widths=(8,)), seeded(seed))
    outputs = module(torch.randn(9, 16, generator=seeded(seed + 1)))
    assert (outputs.x_features >= 0).all()
    assert (outputs.z_reconstructed >= 0).all()


def test_without_a_generator_weights_are_drawn_all_the_same() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = ExplanationModule(8, ModuleSettings(widths=(4,)))
    assert all(parameter.device.type == "cpu" for parameter in module.parameters())
    assert 0 < float(module.v.weight.detach().abs().max()) < 10
    assert module.v.bias is None


def test_encoder_and_decoder_mirror_each_other() -> None:
    module = ExplanationModule(40, ModuleSettings(widths=(30, 20), x_features=3))
    encoder = [layer for layer in module.encoder if isinstance(layer, nn.Linear)]
    decoder = [layer for layer in module.decoder if isinstance(layer, nn.Linear)]
    assert [(a.in_features, a.out_features) for a in encoder] == [(40, 30), (30, 20), (20, 3)]
    assert [(a.in_features, a.out_features) for a in decoder] == [(3, 20), (20, 30), (30, 40)]
    for stack in (module.encoder, module.decoder):
        assert [type(layer) for layer in stack] == [nn.Linear, nn.ReLU] * 3


def test_attribution_layers_stop_before_the_last_relu() -> None:
    module = ExplanationModule(16, ModuleSettings(widths=(8,)), seeded())
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
    assert scale_widths(ModuleSettings(x_features=x_features), z_size).widths == widths
    assert ExplanationModule(16, ModuleSettings()).settings.widths == (20, 20)


def test_given_widths_are_kept() -> None:
    settings = ModuleSettings(widths=(7,))
    assert scale_widths(settings, 4096) is settings


@pytest.mark.parametrize(
    "change",
    [
        {"method": "pca"},
        {"x_features": 0},
        {"widths": (8, 0)},
        {"beta": -0.1},
        {"q": 0.0},
        {"pull_away": -1.0},
        {"beta": float("nan")},
        {"q": float("nan")},
        {"pull_away": float("nan")},
    ],
)
def test_impossible_settings_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ExplorerError):
        replace(ModuleSettings(), **change)


def test_a_given_generator_leaves_the_global_state_alone() -> None:
    before = torch.random.get_rng_state()
    module = ExplanationModule(16, ModuleSettings(), seeded())
    assert torch.equal(before, torch.random.get_rng_state())
    assert all(parameter.isfinite().all() for parameter in module.parameters())
    assert all(parameter.requires_grad for parameter in module.parameters())


def test_same_seed_same_weights_other_seed_other_weights() -> None:
    one, same, other = (ExplanationModule(16, ModuleSettings(), seeded(s)) for s in (1, 1, 2))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), same.parameters(), strict=True))
    assert not torch.equal(one.v.weight, other.v.weight)
    assert not torch.equal(one.encoder[0].weight, other.encoder[0].weight)
