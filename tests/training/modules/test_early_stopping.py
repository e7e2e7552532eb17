import math

import pytest
import torch

from explorer.methods.srae import SraeSettings
from explorer.nn.grouped import ModuleGroup
from explorer.nn.srae import ExplanationModule
from explorer.training.modules.early_stopping import BestWeights

SETTINGS = SraeSettings(widths=(4,), x_features=2)


@pytest.fixture
def group() -> ModuleGroup:
    return ModuleGroup([ExplanationModule(5, SETTINGS, torch.Generator()) for _ in range(3)])


@torch.no_grad()
def fill(group: ModuleGroup, value: float) -> None:
    for stack in group.parameters():
        stack.fill_(value)


def get_value(best: BestWeights, index: int) -> float:
    values = {float(p.unique()) for p in best.copy_member(index).parameters()}
    (value,) = values
    return value


def test_each_member_keeps_the_weights_of_its_lowest_loss(group: ModuleGroup) -> None:
    best = BestWeights(group, 10)
    losses = ([5, 1, 3], [4, 2, 3], [6, 0.5, 2.9])
    for epoch, given in enumerate(losses):
        fill(group, epoch)
        assert best.update(given) == []
    assert [get_value(best, index) for index in range(3)] == [1, 2, 2]


def test_a_member_is_done_after_its_patience_without_a_lower_loss(group: ModuleGroup) -> None:
    best = BestWeights(group, 2)
    assert best.update([1, 1, 1]) == []
    assert best.update([1, 0.9, 2]) == [], "an equal loss is not lower"
    assert best.update([1, 1, 0.9]) == [0]
    best.keep([1, 2])
    assert best.update([1, 0.8]) == [0]
    best.keep([1])
    fill(group, 7)
    assert best.update([0.7]) == []


def test_a_nan_loss_is_never_the_best(group: ModuleGroup) -> None:
    fill(group, 3)
    best = BestWeights(group, 2)
    fill(group, 4)
    assert best.update([math.nan, math.inf, 1]) == []
    assert [get_value(best, index) for index in range(3)] == [3, 3, 4]
    assert best.update([math.nan, 1, 1]) == [0]
