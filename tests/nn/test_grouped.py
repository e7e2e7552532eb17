import pytest
import torch
from torch import Tensor

from explorer.nn.grouped import ModuleGroup
from explorer.nn.settings import ModuleShape
from explorer.nn.srae import ExplanationModule

SETTINGS = ModuleShape(widths=(7, 6), x_features=3)


@pytest.fixture
def members() -> list[ExplanationModule]:
    return [
        ExplanationModule(10, SETTINGS, torch.Generator().manual_seed(seed)) for seed in range(3)
    ]


@pytest.fixture
def z() -> Tensor:
    return torch.rand(3, 20, 10, generator=torch.Generator().manual_seed(9))


def test_each_member_processes_its_own_examples(
    members: list[ExplanationModule], z: Tensor
) -> None:
    found = ModuleGroup(members)(z)
    for index, member in enumerate(members):
        for one, other in zip(found, member(z[index]), strict=True):
            torch.testing.assert_close(one[index], other)


def test_a_group_may_have_one_member(members: list[ExplanationModule], z: Tensor) -> None:
    found = ModuleGroup(members[:1])(z[:1])
    torch.testing.assert_close(found.y_bar[0], members[0](z[0]).y_bar)


def test_members_are_copied_into_the_group(members: list[ExplanationModule], z: Tensor) -> None:
    group = ModuleGroup(members)
    before = group(z)
    with torch.no_grad():
        for parameter in members[0].parameters():
            parameter.zero_()
    assert torch.equal(group(z).y_bar, before.y_bar)


@torch.no_grad()
def test_a_view_shares_its_weights_with_the_group(
    members: list[ExplanationModule], z: Tensor
) -> None:
    group = ModuleGroup(members)
    before = group(z).x_features
    view = group.view_member(1)
    torch.testing.assert_close(view(z[1]).x_features, before[1])
    view.encoder[-2].weight[2] = 0.0
    view.encoder[-2].bias[2] = 5.0
    after = group(z).x_features
    assert torch.equal(after[1, :, 2], torch.full((20,), 5.0))
    assert torch.equal(after[[0, 2]], before[[0, 2]])
    assert torch.equal(after[1, :, :2], before[1, :, :2])


def test_a_copy_is_a_finished_module(members: list[ExplanationModule]) -> None:
    group = ModuleGroup(members)
    copy = group.copy_member(2)
    assert not copy.training
    assert not any(parameter.requires_grad for parameter in copy.parameters())
    assert all(parameter.is_contiguous() for parameter in copy.parameters())
    with torch.no_grad():
        for stack in group.parameters():
            stack.zero_()
    for (name, one), other in zip(
        copy.state_dict().items(), members[2].state_dict().values(), strict=True
    ):
        assert torch.equal(one, other), name


def test_gradients_of_members_are_independent(members: list[ExplanationModule], z: Tensor) -> None:
    group = ModuleGroup(members)
    group(z).y_bar.square().mean(dim=1)[[0, 2]].sum().backward()
    members[2](z[2]).y_bar.square().mean().backward()
    for (name, stack), own in zip(group.named_parameters(), members[2].parameters(), strict=True):
        if not name.startswith("decoder"):
            assert not stack.grad[1].any(), name
            found = stack.grad[2].T if name.endswith("weight") else stack.grad[2, 0]
            torch.testing.assert_close(found, own.grad)
