import pytest
import torch
from torch import Tensor, nn

from explorer.training.classifier.scale import normalise_scale


def build_layers(images: Tensor, scale: float) -> list[nn.Module]:
    """Two convolutions whose output for `images` has a root mean square of `scale`."""
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 4, 3), nn.ReLU()]
    with torch.no_grad():
        layers[3].bias.zero_()
        layers[0].bias.zero_()
        output = nn.Sequential(*layers)(images)
        factor = scale / output.square().mean().sqrt()
        layers[0].weight.mul_(factor)
        layers[0].bias.fill_(factor / 100)
        layers[3].bias.fill_(factor / 100)
    return layers


@pytest.fixture
def images() -> Tensor:
    torch.manual_seed(1)
    return torch.randn(4, 3, 16, 16)


@pytest.mark.parametrize(("scale", "divisor"), [(10, 8), (700, 512), (0.01, 1 / 128)])
def test_the_output_is_divided_by_a_power_of_two(
    images: Tensor, scale: float, divisor: float
) -> None:
    layers = build_layers(images, scale)
    before = nn.Sequential(*layers)(images)
    found = normalise_scale(layers, images)
    assert found == divisor
    after = nn.Sequential(*layers)(images)
    torch.testing.assert_close(after * found, before, rtol=0, atol=0)
    assert 0.7 < after.square().mean().sqrt() < 1.5


@pytest.mark.parametrize("scale", [0.3, 1, 3.5])
def test_a_usual_scale_stays(images: Tensor, scale: float) -> None:
    layers = build_layers(images, scale)
    weights = [p.clone() for p in nn.Sequential(*layers).parameters()]
    assert normalise_scale(layers, images) == 1
    for now, before in zip(nn.Sequential(*layers).parameters(), weights, strict=True):
        assert torch.equal(now, before)


@pytest.mark.parametrize("fault", ["batch norm", "dead", "not finite"])
def test_layers_that_cannot_be_scaled_stay(images: Tensor, fault: str) -> None:
    layers = build_layers(images, 100)
    if fault == "batch norm":
        layers.insert(1, nn.BatchNorm2d(8).eval())
    with torch.no_grad():
        if fault == "dead":
            layers[3].bias.fill_(-1e9)
        if fault == "not finite":
            layers[3].bias.fill_(torch.inf)
    weight = layers[0].weight.clone()
    assert normalise_scale(layers, images) == 1
    assert torch.equal(layers[0].weight, weight)
