import pytest
import torch
from torch import nn

from explorer.nn.backbones.build import build_network, flatten_network
from explorer.nn.backbones.layer_names import count_spatial_layers, list_z_layers, name_layers


def flatten(name: str) -> nn.Sequential:
    with torch.device("meta"):
        return flatten_network(build_network(name, 3, batch_norm=False))


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        (
            "alexnet",
            {
                "relu1": (64, 55, 55),
                "pool1": (64, 27, 27),
                "pool2": (192, 13, 13),
                "pool3": (256, 6, 6),
                "fc6": (4096,),
                "fc7": (4096,),
            },
        ),
        (
            "resnet18",
            {
                "relu1": (64, 112, 112),
                "pool1": (64, 56, 56),
                "layer1": (64, 56, 56),
                "layer2": (128, 28, 28),
                "layer3": (256, 14, 14),
                "layer4": (512, 7, 7),
                "avgpool": (512,),
            },
        ),
        (
            "resnet50",
            {
                "relu1": (64, 112, 112),
                "pool1": (64, 56, 56),
                "layer1": (256, 56, 56),
                "layer2": (512, 28, 28),
                "layer3": (1024, 14, 14),
                "layer4": (2048, 7, 7),
                "avgpool": (2048,),
            },
        ),
    ],
)
def test_layers_are_named_from_the_pixels_up(name: str, shapes: dict[str, tuple[int, ...]]) -> None:
    layers = flatten(name)
    named = name_layers(layers)
    images = torch.empty(1, 3, 224, 224, device="meta")
    assert {n: tuple(layers[:count](images).shape[1:]) for n, count in named.items()} == shapes
    assert list(named) == list(shapes)


@torch.inference_mode()
def test_no_named_layer_has_negative_output() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = flatten_network(build_network("resnet18", 3, batch_norm=True))
        images = torch.randn(1, 3, 64, 64)
    for count in name_layers(layers).values():
        assert (layers[:count](images) >= 0).all()


def test_only_layers_with_height_and_width_can_be_averaged() -> None:
    assert list_z_layers(flatten("resnet18"))[-3:] == ("layer4", "layer4-mean", "avgpool")
    assert list_z_layers(flatten("vgg11"))[-4:] == ("pool5", "pool5-mean", "fc6", "fc7")


def test_a_network_may_have_no_spatial_layers() -> None:
    layers = [nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 1)]
    assert name_layers(layers) == {"fc6": 2}
    assert count_spatial_layers(layers) == 0
    assert list_z_layers(layers) == ("fc6",)
