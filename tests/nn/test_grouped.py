import pytest
import torch
from torch import Tensor, nn

from explorer.nn import grouped
from explorer.nn.grouped import GroupedLinear, ModuleGroup
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


def multiply_both_ways(
    monkeypatch: pytest.MonkeyPatch, bias: bool
) -> tuple[GroupedLinear, Tensor, Tensor]:
    """Return a layer, and its outputs in float32 and in bfloat16."""
    torch.manual_seed(0)
    layer = GroupedLinear([nn.Linear(40, 30, bias=bias) for _ in range(2)])
    inputs = torch.rand(2, 50, 40)
    exact = layer(inputs)
    monkeypatch.setattr(grouped, "_MIN_REDUCED_WEIGHTS", 40 * 30)
    monkeypatch.setattr(grouped, "has_bfloat16", lambda: True)
    return layer, exact, layer(inputs)


@pytest.mark.parametrize("bias", [False, True])
def test_large_layers_are_multiplied_in_bfloat16(
    monkeypatch: pytest.MonkeyPatch, bias: bool
) -> None:
    layer, exact, reduced = multiply_both_ways(monkeypatch, bias)
    assert reduced.dtype == torch.float32
    assert not torch.equal(reduced, exact)
    torch.testing.assert_close(reduced, exact, rtol=0, atol=0.02)
    target = torch.ones_like(exact)
    gradients = []
    for outputs in (exact, reduced):
        (gradient,) = torch.autograd.grad((outputs - target).square().mean(), layer.weight)
        gradients.append(gradient)
    assert gradients[1].dtype == torch.float32
    error = (gradients[1] - gradients[0]).norm() / gradients[0].norm()
    assert 0 < error < 0.02


@pytest.mark.parametrize(("weights", "has_bfloat16"), [(40 * 30 + 1, True), (40 * 30, False)])
def test_other_layers_are_multiplied_in_float32(
    monkeypatch: pytest.MonkeyPatch, weights: int, has_bfloat16: bool
) -> None:
    layer, exact, _ = multiply_both_ways(monkeypatch, bias=True)
    monkeypatch.setattr(grouped, "_MIN_REDUCED_WEIGHTS", weights)
    monkeypatch.setattr(grouped, "has_bfloat16", lambda: has_bfloat16)
    torch.manual_seed(0)
    layer = GroupedLinear([nn.Linear(40, 30) for _ in range(2)])
    assert torch.equal(layer(torch.rand(2, 50, 40)), exact)


@torch.no_grad()
def test_members_of_a_reduced_group_are_exact(
    members: list[ExplanationModule], z: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grouped, "_MIN_REDUCED_WEIGHTS", 1)
    monkeypatch.setattr(grouped, "has_bfloat16", lambda: True)
    group = ModuleGroup(members)
    expected = members[1](z[1])
    assert not torch.equal(group(z).y_bar[1], expected.y_bar)
    for found in (group.view_member(1), group.copy_member(1)):
        torch.testing.assert_close(found(z[1]).y_bar, expected.y_bar)
