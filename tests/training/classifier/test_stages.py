import pytest
import torch

from explorer.config import ExplorerError
from explorer.nn.backbones.build import build_network, flatten_network
from explorer.training.classifier.settings import FinetuneSettings
from explorer.training.classifier.stages import ALL, Stage, choose_stages

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def choose_with_rates(
    name: str, device: torch.device = CPU, **changes: object
) -> tuple[Stage, ...]:
    with torch.device("meta"):
        layers = flatten_network(build_network(name, 3, batch_norm=False))
    settings = FinetuneSettings(name, **changes)  # type: ignore[arg-type]
    return choose_stages(settings, layers, device)


def choose(name: str, device: torch.device = CPU, **changes: object) -> list[tuple[str, int, int]]:
    found = choose_with_rates(name, device, **changes)
    return [(stage.layer, stage.frozen, stage.epochs) for stage in found]


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


def test_the_last_of_several_stages_has_a_lower_rate() -> None:
    rates = [stage.rate for stage in choose_with_rates("vgg16")]
    assert rates == pytest.approx([1e-4, 1e-4, 3e-5])
    assert [stage.rate for stage in choose_with_rates("vgg16", CUDA)] == [1e-4]


def test_a_stage_can_have_its_own_rate() -> None:
    found = choose_with_rates("vgg16", stages="pool5=3,pool3=2 @ 2e-5", learning_rate=5e-4)
    assert [stage.rate for stage in found] == [5e-4, 2e-5]


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ("pool6=1", "There is no stage 'pool6' of this network. Choose among: pool1, .*, all."),
        ("fc6=1", "There is no stage 'fc6'"),
        ("pool5", "The stage 'pool5' needs a number of epochs, such as pool5=10."),
        ("pool5=0", "needs a number of epochs"),
        ("pool5=-3", "needs a number of epochs"),
        ("pool5=1e3", "needs a number of epochs"),
        ("pool5=@1e-5", "needs a number of epochs"),
        ("pool5=3@", "'pool5=3@' needs a learning rate above 0 and up to 10 after the @"),
        ("pool5=3@fast", "needs a learning rate"),
        ("pool5=3@0", "needs a learning rate"),
        ("pool5=3@nan", "needs a learning rate"),
        ("pool5=3@11", "needs a learning rate"),
        ("pool5=9999999999999999999999", "needs a number of epochs"),
        ("pool4=1,pool5=1", "must go down the network: all, pool5, pool4, .*pool1"),
        ("all=1,pool5=1", "must go down the network"),
        ("pool5=1,pool5=1", "must go down the network"),
    ],
)
def test_impossible_stages_are_refused(stages: str, message: str) -> None:
    with pytest.raises(ExplorerError, match=message):
        choose("vgg16", stages=stages)
