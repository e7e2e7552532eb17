from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from explorer.config import ExplorerError
from explorer.nn.backbones.build import build_network
from explorer.training.classifier import starts
from explorer.training.classifier.settings import FinetuneSettings
from explorer.training.classifier.starts import build_random_backbone, build_start

SETTINGS = FinetuneSettings()


def test_initial_network_can_come_from_a_file(tmp_path: Path) -> None:
    network = build_network("vgg_small", 40, batch_norm=True)
    torch.save(network.state_dict(), tmp_path / "start.pth")
    settings = replace(SETTINGS, initial=str(tmp_path / "start.pth"))
    state = torch.random.get_rng_state()
    start = build_start(settings, 3)
    assert torch.equal(state, torch.random.get_rng_state())
    assert start.fresh == ("classifier.6",)
    assert start.network.classifier[-1].out_features == 3
    assert torch.equal(start.network.classifier[3].weight, network.classifier[3].weight)
    assert torch.equal(start.network.features[1].running_var, network.features[1].running_var)
    assert all(parameter.requires_grad for parameter in start.network.parameters())
    again = build_start(settings, 3).network
    assert torch.equal(start.network.classifier[-1].weight, again.classifier[-1].weight)
    kept = build_start(settings, 40)
    assert not kept.fresh
    assert torch.equal(kept.network.classifier[-1].weight, network.classifier[-1].weight)


def test_a_checkpoint_s_network_is_found_and_the_rest_said_to_be_left_out(tmp_path: Path) -> None:
    state = build_network("vgg_small", 40, batch_norm=True).state_dict()
    content = {f"model.{name}": tensor for name, tensor in state.items()}
    path = tmp_path / "start.pth"
    torch.save({"state_dict": content | {"criterion.weight": torch.ones(40)}}, path)
    start = build_start(replace(SETTINGS, initial=str(path)), 40)
    assert start.notes == ("Left out, as no part of the network: 'criterion.weight'.",)
    assert torch.equal(start.network.features[0].weight, state["features.0.weight"])
    torch.save(state | {"features.99.weight": torch.ones(1)}, path)
    with pytest.raises(ExplorerError, match=r"start\.pth: .*'features\.99\.weight'"):
        build_start(replace(SETTINGS, initial=str(path)), 40)


def test_imagenet_weights_get_a_new_head(monkeypatch: pytest.MonkeyPatch) -> None:
    network = build_network("vgg_small", 1000, batch_norm=False)
    monkeypatch.setattr(starts, "load_imagenet_weights", lambda _: network.state_dict())
    start = build_start(replace(SETTINGS, initial="imagenet"), 200)
    assert start.fresh == ("classifier.6",)
    assert start.network.classifier[-1].out_features == 200
    assert torch.equal(start.network.features[0].weight, network.features[0].weight)


def test_building_from_scratch_is_seeded_and_keeps_the_global_state() -> None:
    state = torch.random.get_rng_state()
    one, same = (build_start(SETTINGS, 3).network for _ in range(2))
    other = build_start(replace(SETTINGS, seed=1), 3).network
    assert torch.equal(state, torch.random.get_rng_state())
    assert torch.equal(one.features[0].weight, same.features[0].weight)
    assert not torch.equal(one.features[0].weight, other.features[0].weight)
    assert any(isinstance(layer, nn.BatchNorm2d) for layer in one.features)


def test_a_random_backbone_equals_one_built_from_scratch() -> None:
    backbone = build_random_backbone("vgg_small", ("a", "b", "c"), seed=0)
    head = build_start(SETTINGS, 3).network.classifier[-1]
    assert torch.equal(backbone.layers[-1].weight, head.weight)


def test_a_missing_file_is_named() -> None:
    with pytest.raises(ExplorerError, match=r"no file nowhere\.pth"):
        build_start(replace(SETTINGS, initial="nowhere.pth"), 3)
