import pytest
import torch
from torch import nn

from explorer.nn.backbones.build import build_network, flatten_network
from explorer.nn.backbones.places import find_last_map, list_z_layers, name_places


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
def test_places_are_named_from_the_pixels_up(name: str, shapes: dict[str, tuple[int, ...]]) -> None:
    layers = flatten(name)
    places = name_places(layers)
    images = torch.empty(1, 3, 224, 224, device="meta")
    assert {n: tuple(layers[:place](images).shape[1:]) for n, place in places.items()} == shapes
    assert list(places) == list(shapes)


@torch.inference_mode()
def test_no_place_has_anything_negative() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = flatten_network(build_network("resnet18", 3, batch_norm=True))
        images = torch.randn(1, 3, 64, 64)
    for place in name_places(layers).values():
        assert (layers[:place](images) >= 0).all()


def test_maps_can_be_averaged_and_vectors_not() -> None:
    assert list_z_layers(flatten("resnet18"))[-3:] == ("layer4", "layer4-mean", "avgpool")
    assert list_z_layers(flatten("vgg11"))[-4:] == ("pool5", "pool5-mean", "fc6", "fc7")


def test_a_network_without_maps_has_none() -> None:
    layers = [nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 1)]
    assert name_places(layers) == {"fc6": 2}
    assert find_last_map(layers) == 0
    assert list_z_layers(layers) == ("fc6",)
