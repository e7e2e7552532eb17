"""Properties of MWP for random networks: mass is conserved, up to zero normalisers."""

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from explorer.attribution import contrastive_mwp, mwp

CASES = settings(max_examples=60)
SIDE = 12


@st.composite
def networks(draw: st.DrawFn) -> nn.Sequential:
    """Draw one to three blocks: a convolution, sometimes batch norm, ReLU, sometimes a pool."""
    torch.manual_seed(draw(st.integers(0, 2**31)))
    layers: list[nn.Module] = []
    channels, side = draw(st.integers(1, 3)), SIDE
    inputs = channels
    for _ in range(draw(st.integers(1, 3))):
        out, kernel = draw(st.integers(1, 5)), draw(st.sampled_from([1, 3]))
        layers.append(nn.Conv2d(channels, out, kernel, padding=kernel // 2))
        channels = out
        if draw(st.booleans()):
            layers.append(make_norm(channels))
        layers.append(nn.ReLU())
        if side >= 6 and draw(st.booleans()):
            layers.append(draw(st.sampled_from([nn.MaxPool2d(2), nn.AvgPool2d(2)])))
            side //= 2
    layers += [nn.Flatten(), nn.Linear(channels * side**2, 3)]
    if draw(st.booleans()):
        layers += [nn.ReLU(), nn.Dropout(), nn.Linear(3, 4)]
    network = nn.Sequential(*layers).double().eval()
    network.inputs = inputs
    return network


def make_norm(channels: int) -> nn.BatchNorm2d:
    norm = nn.BatchNorm2d(channels)
    norm.running_var.uniform_(0.5, 2)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    return norm


def make_positive(network: nn.Sequential) -> None:
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.abs_().add_(0.01)


def draw_images(network: nn.Sequential, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    shape = (2, network.inputs, SIDE, SIDE)
    return torch.randn(shape, dtype=torch.float64, generator=generator)


def list_stops(network: nn.Sequential) -> list[int]:
    """List the layers whose input still has height and width."""
    flatten = next(n for n, layer in enumerate(network) if isinstance(layer, nn.Flatten))
    return list(range(flatten + 1))


@CASES
@given(networks(), st.integers(0, 1000), st.data())
def test_all_mass_arrives_where_nothing_is_zero(
    network: nn.Sequential, seed: int, data: st.DataObject
) -> None:
    make_positive(network)
    images = draw_images(network, seed).abs() + 0.01
    stop = data.draw(st.sampled_from(list_stops(network)))
    mass = mwp(network, images, stop=stop).sum((2, 3))
    torch.testing.assert_close(mass, torch.ones_like(mass), rtol=1e-12, atol=0)


@CASES
@given(networks(), st.integers(0, 1000))
def test_no_layer_creates_mass(network: nn.Sequential, seed: int) -> None:
    images = draw_images(network, seed)
    masses = [mwp(network, images, stop=stop) for stop in list_stops(network)]
    assert all(bool(torch.isfinite(maps).all()) and maps.min() >= 0 for maps in masses)
    above = torch.ones(2, network[-1].out_features, dtype=torch.float64)
    for maps in reversed(masses):
        below = maps.sum((2, 3))
        assert bool((below <= above * (1 + 1e-12) + 1e-15).all())
        above = below


@CASES
@given(networks(), st.integers(0, 1000), st.data())
def test_a_contrastive_map_is_the_difference_of_two_plain_maps(
    network: nn.Sequential, seed: int, data: st.DataObject
) -> None:
    """Everything is linear in P, so P⁺ − P⁻ can be computed at the top or at the bottom."""
    images = draw_images(network, seed)
    stop = data.draw(st.sampled_from(list_stops(network)))
    contrastive = contrastive_mwp(network, images, stop=stop)
    own = mwp(network, images, stop=stop)
    with torch.no_grad():
        network[-1].weight.neg_()
    opposite = mwp(network, images, stop=stop)
    torch.testing.assert_close(contrastive, (own - opposite).clamp(min=0), rtol=1e-9, atol=1e-13)
    assert bool((contrastive <= own + 1e-13).all())


@CASES
@given(networks(), st.integers(0, 1000), st.floats(1e-3, 1e3))
def test_the_scale_of_the_last_weights_changes_no_map(
    network: nn.Sequential, seed: int, factor: float
) -> None:
    images = draw_images(network, seed)
    expected = contrastive_mwp(network, images)
    with torch.no_grad():
        network[-1].weight.mul_(factor)
    torch.testing.assert_close(contrastive_mwp(network, images), expected, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("axis", [2, 3])
@CASES
@given(network=networks(), seed=st.integers(0, 1000))
def test_a_mirrored_network_draws_mirrored_maps(
    axis: int, network: nn.Sequential, seed: int
) -> None:
    images = draw_images(network, seed)
    maps = contrastive_mwp(network, images)
    assume(bool((maps > 0).any()))
    mirror(network, axis, images)
    mirrored = contrastive_mwp(network, images.flip(axis))
    torch.testing.assert_close(mirrored.flip(axis), maps, rtol=1e-9, atol=1e-13)


def mirror(network: nn.Sequential, axis: int, images: Tensor) -> None:
    """Flip the weights of every layer, so that mirrored images give mirrored activations."""
    shape = images.shape[1:]
    with torch.no_grad():
        for layer in network:
            before, images = images, layer(images)
            if isinstance(layer, nn.Conv2d):
                layer.weight.copy_(layer.weight.flip(axis))
            if isinstance(layer, nn.Flatten):
                shape = before.shape[1:]
            if isinstance(layer, nn.Linear) and before.shape[1] == shape.numel() and shape.numel():
                weight = layer.weight.unflatten(1, shape).flip(axis)
                layer.weight.copy_(weight.flatten(1))
                shape = torch.Size((0,))
