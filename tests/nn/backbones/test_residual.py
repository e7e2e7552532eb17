import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from explorer.attribution import AttributionError, contrastive_mwp, mwp
from explorer.attribution.layers import make_rules
from explorer.attribution.trace import start_trace
from explorer.config import ExplorerError
from explorer.nn.backbones.residual import Residual, list_layers
from explorer.nn.torchvision_guard import import_torchvision


def build_resnet(name: str, dtype: torch.dtype = torch.float64) -> nn.Module:
    models = import_torchvision().models
    with torch.random.fork_rng():
        torch.manual_seed(5)
        network: nn.Module = models.get_model(name, weights=None, num_classes=4).eval().to(dtype)
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(std=0.1)
                module.running_var.uniform_(0.5, 2)
    return network.requires_grad_(False)


def draw_images(side: int = 64, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.rand((2, 3, side, side), generator=torch.Generator().manual_seed(1), dtype=dtype)


@pytest.mark.parametrize(("name", "additions"), [("resnet18", 8), ("resnet50", 16)])
def test_the_list_of_layers_equals_the_network(name: str, additions: int) -> None:
    network, images = build_resnet(name), draw_images()
    layers = list_layers(network)
    assert sum(isinstance(layer, Residual) for layer in layers) == additions
    torch.testing.assert_close(layers(images), network(images))


def test_shares_of_an_addition_are_proportional() -> None:
    # 1 x 2 pixels: each branch sees one of them.
    def look_at(pixel: int) -> nn.Sequential:
        conv = nn.Conv2d(1, 1, (1, 2), bias=False)
        conv.weight.data = torch.eye(2)[pixel].reshape(1, 1, 1, 2)
        return nn.Sequential(conv)

    top = nn.Linear(1, 1, bias=False)
    top.weight.data.fill_(1)
    layers = [Residual([look_at(0), look_at(1)]), nn.Flatten(), top]
    x = torch.tensor([1.0, 3.0]).reshape(1, 1, 1, 2)
    assert mwp(layers, x).flatten().tolist() == pytest.approx([0.25, 0.75])
    x = torch.tensor([-1.0, 3.0]).reshape(1, 1, 1, 2)
    assert mwp(layers, x).flatten().tolist() == pytest.approx([0, 1])


def test_maps_of_positive_networks_are_gradient_times_input() -> None:
    # With positive weights and without biases, the map is x dy/dx / y: an independent way to
    # compute it for a whole ResNet, skip connections included.
    network = build_resnet("resnet18")
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.weight.abs_()
        if isinstance(module, nn.Linear):
            module.bias.zero_()
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.zero_()
            module.running_var.fill_(1000)
    images = draw_images().requires_grad_()
    output = network(images)
    expected = []
    for neuron in range(4):
        (gradient,) = torch.autograd.grad(output[:, neuron].sum(), images, retain_graph=True)
        expected.append((gradient * images).sum(1) / output[:, neuron, None, None])
    maps = mwp(list_layers(network), images.detach())
    torch.testing.assert_close(maps, torch.stack(expected, 1).detach())
    torch.testing.assert_close(maps.sum((2, 3)), torch.ones(2, 4, dtype=torch.float64))


@torch.no_grad()
def test_additions_below_the_stop_are_computed_as_in_the_network() -> None:
    layers = list_layers(build_resnet("resnet18"))
    stop = next(i for i, layer in enumerate(layers) if isinstance(layer, Residual)) + 2
    below = layers[:stop](draw_images(32))
    found = contrastive_mwp(layers, draw_images(32), stop=stop, neurons=[1])
    torch.testing.assert_close(found, contrastive_mwp(layers[stop:], below, neurons=[1]))
    assert found.any()


@torch.no_grad()
def test_a_layer_that_is_used_twice_in_a_branch_is_applied_twice() -> None:
    # A bottleneck uses the same ReLU several times.
    network, images = build_resnet("resnet50"), draw_images(32)
    layers = list_layers(network)
    found = start_trace(images).extend(make_rules(layers, images), stop=len(layers) - 3).output
    torch.testing.assert_close(found, network(images))


def test_mass_is_never_more_than_one() -> None:
    layers = list_layers(build_resnet("resnet18"))
    mass = mwp(layers, draw_images(), stop=3).sum((2, 3))
    assert (mass > 0).all()
    assert (mass <= 1 + 1e-9).all()


def test_float32_is_close_to_float64() -> None:
    network, images = build_resnet("resnet18"), draw_images()
    exact = contrastive_mwp(list_layers(network), images, stop=3)
    found = contrastive_mwp(list_layers(copy.deepcopy(network).float()), images.float(), stop=3)
    assert (found - exact).norm() <= 1e-3 * exact.norm()


class Product(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x) * x


class Branching(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum() > 0 else -x


@pytest.mark.parametrize(("network", "words"), [(Product(), "'mul'"), (Branching(), "Branching")])
def test_other_operations_are_refused_by_name(network: nn.Module, words: str) -> None:
    with pytest.raises(ExplorerError, match=words):
        list_layers(network)


class Calls(nn.Module):
    """Calls a function instead of a layer."""

    def __init__(self, call: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.call = call

    def forward(self, x: Tensor) -> Tensor:
        return self.call(x)


@pytest.mark.parametrize(
    "call", [lambda x: x + x, lambda x: x.flatten(1), lambda x: torch.flatten(x, 1)]
)
def test_additions_and_flattening_are_supported(call: Callable[[Tensor], Tensor]) -> None:
    x = torch.rand(2, 3, 4, 4)
    assert torch.equal(list_layers(Calls(call))(x), call(x))


@pytest.mark.parametrize(
    "call",
    [
        lambda x: torch.softmax(x, 1),
        lambda x: torch.flatten(x, 2),
        lambda x: torch.flatten(x, start_dim=1),
        lambda x: torch.add(x, x, alpha=2),
        lambda x: x + 1,
        lambda x: torch.cat([x, x.flatten(1)]),
    ],
)
def test_other_calls_are_refused(call: Callable[[Tensor], Tensor]) -> None:
    with pytest.raises(ExplorerError, match="not supported"):
        list_layers(Calls(call))


def test_unsupported_layers_in_a_branch_are_named() -> None:
    branch = nn.Sequential(nn.Conv2d(3, 3, 1), nn.SiLU())
    network = [Residual([branch, nn.Sequential()]), nn.Flatten(), nn.Linear(12, 1)]
    with pytest.raises(AttributionError, match=r"SiLU\(\): not supported"):
        mwp(network, torch.rand(1, 3, 2, 2))
