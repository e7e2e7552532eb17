import pytest
import torch

from explorer.config import ExplorerError
from explorer.nn.backbones.build import build_network, flatten_network
from explorer.training.classifier.settings import FinetuneSettings
from explorer.training.classifier.stages import ALL, choose_stages

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def choose(name: str, device: torch.device = CPU, **changes: object) -> list[tuple[str, int, int]]:
    with torch.device("meta"):
        layers = flatten_network(build_network(name, 3, batch_norm=False))
    settings = FinetuneSettings(name, **changes)  # type: ignore[arg-type]
    return [(s.layer, s.frozen, s.epochs) for s in choose_stages(settings, layers, device)]


def test_pretrained_networks_go_from_the_top_down_on_a_processor() -> None:
    assert choose("vgg16", epochs=7) == [("pool5", 31, 12), ("pool4", 24, 8), (ALL, 0, 7)]
    assert [layer for layer, _, _ in choose("resnet18")] == ["layer4", "layer3", ALL]
    assert [layer for layer, _, _ in choose("alexnet")] == ["pool3", "pool2", ALL]


def test_all_layers_are_trained_on_a_card_and_from_random_weights() -> None:
    assert choose("vgg16", CUDA, epochs=7) == [(ALL, 0, 7)]
    assert choose("vgg_small", epochs=7) == [(ALL, 0, 7)]
    assert choose("vgg16", initial="scratch") == [(ALL, 0, 30)]


def test_stages_can_be_named_on_any_device() -> None:
    named = {"stages": " pool5=3, pool3=2 ", "epochs": 7}
    assert choose("vgg16", CUDA, **named) == [("pool5", 31, 3), ("pool3", 17, 2)]


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ("pool6=1", "There is no stage 'pool6' of this network. Choose among: pool1, .*, all."),
        ("fc6=1", "There is no stage 'fc6'"),
        ("pool5", "The stage 'pool5' needs a number of epochs, such as pool5=10."),
        ("pool5=0", "needs a number of epochs"),
        ("pool5=-3", "needs a number of epochs"),
        ("pool5=1e3", "needs a number of epochs"),
        ("pool5=9999999999999999999999", "needs a number of epochs"),
        ("pool4=1,pool5=1", "must go down the network: all, pool5, pool4, .*pool1"),
        ("all=1,pool5=1", "must go down the network"),
        ("pool5=1,pool5=1", "must go down the network"),
    ],
)
def test_impossible_stages_are_refused(stages: str, message: str) -> None:
    with pytest.raises(ExplorerError, match=message):
        choose("vgg16", stages=stages)
