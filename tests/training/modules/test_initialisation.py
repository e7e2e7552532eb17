import pytest
import torch
from torch import nn

from explorer.methods.srae import SraeSettings
from explorer.nn.srae import ExplanationModule
from explorer.training.modules import initialisation
from explorer.training.modules.initialisation import (
    centre_biases,
    fit_v,
    fit_x_features,
    initialise_signed_v,
    initialise_v,
    revive_x_features,
)


@pytest.fixture
def module() -> ExplanationModule:
    settings = SraeSettings(x_features=3, widths=(8, 6))
    return ExplanationModule(10, settings, torch.Generator().manual_seed(0))


@pytest.fixture
def z() -> torch.Tensor:
    return torch.rand(200, 10, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("most", [2**24, 500])
def test_centred_biases_make_every_unit_active_on_most_photos(
    z: torch.Tensor, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(initialisation, "_MAX_QUANTILE_INPUT", most)
    layer = torch.nn.Linear(10, 5)
    with torch.no_grad():
        layer.bias.fill_(-100.0)
    centre_biases(layer.bias, layer(z))
    shares = (layer(z) > 0).float().mean(dim=0)
    assert torch.allclose(shares, torch.full((5,), 0.7), atol=0.02)


def test_more_units_than_torch_quantile_accepts_can_be_centred() -> None:
    bias = torch.zeros(2)
    centre_biases(bias, torch.arange(2 * (2**23 + 1)).float().reshape(-1, 2))
    assert (bias < 0).all()


def test_initial_v_is_higher_for_the_category_and_small(
    module: ExplanationModule, z: torch.Tensor
) -> None:
    is_positive = torch.arange(200) < 10
    y_hat = torch.where(is_positive, 8.0, -2.0)
    z[is_positive, 0] += 3
    hidden = z
    for layer in (module.encoder[0], module.encoder[2], module.encoder[4]):
        centre_biases(layer.bias, layer(hidden))
        hidden = layer(hidden).relu().detach()
    v = nn.Linear(3, 1, bias=False)
    nn.init.constant_(v.weight, 50.0)
    initialise_v(v, hidden, y_hat, is_positive)
    y_bar = hidden @ v.weight[0]
    assert v.weight.max() > 0 > v.weight.min()
    assert y_bar[is_positive].mean() > y_bar[~is_positive].mean()
    assert y_bar.abs().max() < y_hat.abs().max() / 2, "small at first"


def test_each_x_feature_gets_the_sign_that_it_has_alone() -> None:
    # Both of the first rise with y_hat, the second a little more steeply than what is left for it.
    score = torch.linspace(0, 1, 40)
    x_features = torch.stack([score, score.square(), 1 - score], dim=1)
    is_positive, y_hat = score > 0.9, 4 * score - 2 * score.square()
    layers = [nn.Linear(3, 1, bias=False) for _ in range(2)]
    initialise_v(layers[0], x_features, y_hat, is_positive)
    initialise_signed_v(layers[1], x_features, y_hat, is_positive)
    plain, signed = (layer.weight[0].detach() for layer in layers)
    assert plain[1] < 0
    assert signed[0] > 0
    assert signed[1] > 0, "no weight at all could take the other sign later"
    assert signed[2] < 0
    assert (x_features @ signed - y_hat).abs().max() < y_hat.max() / 4


@pytest.mark.parametrize("base", [-7.0, 0.0, 3.0])
def test_the_base_starts_as_the_score_without_x_features(base: float) -> None:
    x_features = torch.rand(40, 2, generator=torch.Generator().manual_seed(3))
    y_hat = base + x_features @ torch.tensor([2.0, 5.0])
    v = nn.Linear(2, 1)
    initialise_signed_v(v, x_features, y_hat, y_hat > y_hat.median())
    assert v.bias.item() == pytest.approx(base, abs=1e-4)
    assert v.weight[0].tolist() == pytest.approx([2, 5], abs=1e-4)


def test_v_can_be_fitted_with_dead_or_equal_x_features() -> None:
    live = torch.rand(50, 1, generator=torch.Generator().manual_seed(2))
    v = torch.full((3,), 9.0)
    fit_v(v, torch.cat([live, live, torch.zeros(50, 1)], dim=1), 4 * live[:, 0])
    assert torch.allclose(v, torch.tensor([2.0, 2.0, 0.0]), atol=1e-5)


def kill(module: ExplanationModule, index: int) -> None:
    with torch.no_grad():
        module.encoder[-2].weight[index] = 0.0
        module.encoder[-2].bias[index] = -1.0


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_revived_x_feature_fits_the_residual(
    module: ExplanationModule, z: torch.Tensor, sign: float
) -> None:
    for index in range(3):
        kill(module, index)
    y_hat = sign * (1 + 2 * z[:, 0])
    before = (module(z).y_bar - y_hat).abs().mean()
    assert revive_x_features(module, z, y_hat) == 3
    outputs = module(z)
    assert (outputs.x_features.amax(dim=0) > 0).any()
    assert torch.sign(module.v.weight[0, 0]) == sign
    assert (outputs.y_bar - y_hat).abs().mean() < before / 4


def test_live_x_features_are_unchanged(module: ExplanationModule, z: torch.Tensor) -> None:
    with torch.no_grad():
        module.encoder[-2].bias.fill_(1.0)
    kill(module, 1)
    weight = module.encoder[-2].weight.detach().clone()
    v = module.v.weight.detach().clone()
    assert revive_x_features(module, z, 5 + z[:, 0]) == 1
    for index in (0, 2):
        assert torch.equal(module.encoder[-2].weight[index], weight[index])
        assert module.v.weight[0, index] == v[0, index]
    assert revive_x_features(module, z, 5 + z[:, 0]) == 0


def test_x_features_are_fitted_to_targets_of_any_scale(z: torch.Tensor) -> None:
    is_positive = torch.arange(200) < 20
    exact = z @ torch.rand(10, 3, generator=torch.Generator().manual_seed(2)) + 1
    targets = exact * torch.tensor([1.0, 1000.0, 0.0])
    weight, bias = fit_x_features(z, targets, is_positive)
    found = z @ weight + bias
    expected = exact / exact[is_positive].mean(dim=0) * torch.tensor([10, 10, 0])
    torch.testing.assert_close(found, expected, rtol=0.05, atol=0.2)
