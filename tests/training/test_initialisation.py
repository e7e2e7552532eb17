import pytest
import torch

from explorer.nn.srae import ExplanationModule, ModuleSettings
from explorer.training.initialisation import centre_biases, initialise_v, revive_x_features


@pytest.fixture
def module() -> ExplanationModule:
    settings = ModuleSettings(x_features=3, widths=(8, 6))
    return ExplanationModule(10, settings, torch.Generator().manual_seed(0))


@pytest.fixture
def z() -> torch.Tensor:
    return torch.rand(200, 10, generator=torch.Generator().manual_seed(1))


def test_centred_biases_let_every_unit_fire_on_most_photos(z: torch.Tensor) -> None:
    layer = torch.nn.Linear(10, 4)
    with torch.no_grad():
        layer.bias.fill_(-100.0)
    centre_biases(layer, z)
    shares = (layer(z) > 0).float().mean(dim=0)
    assert torch.allclose(shares, torch.full((4,), 0.7), atol=0.02)


def test_v_speaks_for_the_category_and_against_the_others(
    module: ExplanationModule, z: torch.Tensor
) -> None:
    is_positive = torch.arange(200) < 10
    y_hat = torch.where(is_positive, 8.0, -2.0)
    z[is_positive, 0] += 3
    hidden = z
    for layer in (module.encoder[0], module.encoder[2], module.encoder[4]):
        centre_biases(layer, hidden)
        hidden = layer(hidden).relu().detach()
    initialise_v(module, z, y_hat, is_positive)
    y_bar = module(z).y_bar.detach()
    assert module.v.weight.max() > 0 > module.v.weight.min()
    assert y_bar[is_positive].mean() > y_bar[~is_positive].mean()
    assert y_bar.abs().max() < y_hat.abs().max() / 2, "a faint start"


def kill(module: ExplanationModule, index: int) -> None:
    with torch.no_grad():
        module.encoder[-2].weight[index] = 0.0
        module.encoder[-2].bias[index] = -1.0


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_dead_x_feature_takes_on_what_the_module_gets_wrong(
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


def test_living_x_features_are_left_alone(module: ExplanationModule, z: torch.Tensor) -> None:
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
