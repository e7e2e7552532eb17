"""Every rule against the plain formula of Zhang et al. (2016), sections 3.2 and 3.3.

The formulas use neither flipped kernels nor other number formats, and cache nothing.
"""

from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from explorer.attribution.layers import make_rule
from explorer.attribution.rules import Rule
from explorer.attribution.steps import propagate
from explorer.nn.fast.convolution import FastConvolution


def divide(P: Tensor, z: Tensor) -> Tensor:
    """P ⊘ z, where z = 0 contributes 0."""
    return (P / z).where(z > 0, 0.0)


def apply_transpose(P: Tensor, y: Tensor, a: Tensor) -> Tensor:
    """Wᵀ P, where y = W a: the gradient of y · P."""
    (gradient,) = torch.autograd.grad(y, a, P)
    return gradient


def compute_linear(P: Tensor, x: Tensor, W: Tensor) -> Tensor:
    a, positive = x.clamp(min=0), W.clamp(min=0)
    return a * (divide(P, a @ positive.T) @ positive)


def compute_convolution(P: Tensor, x: Tensor, W: Tensor, **options: Any) -> Tensor:
    a = x.clamp(min=0).requires_grad_()
    y = F.conv2d(a, W.clamp(min=0), **options)
    return (a * apply_transpose(divide(P, y), y, a)).detach()


def compute_max_pool(P: Tensor, x: Tensor, **options: Any) -> Tensor:
    x = x.clone().requires_grad_()
    return apply_transpose(P, F.max_pool2d(x, **options), x)


def compute_average(P: Tensor, x: Tensor, pool: nn.Module) -> Tensor:
    a = x.clamp(min=0).requires_grad_()
    y = pool(a)
    return (a * apply_transpose(divide(P, y), y, a)).detach()


def draw(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def run_rule(rule: Rule, x: Tensor, P: Tensor) -> Tensor:
    """Propagate P through a rule as the engine does, as if for two neurons."""
    with torch.no_grad():
        _, steps = rule.record(x, torch.float64)
        return propagate(P.clone()[:, None].expand(-1, 2, *P.shape[1:]).clone(), steps)


def assert_same(found: Tensor, expected: Tensor) -> None:
    for k in range(found.shape[1]):  # both neurons have the same P
        torch.testing.assert_close(found[:, k], expected, rtol=1e-9, atol=1e-12)


def draw_weights(layer: nn.Module, seed: int) -> nn.Module:
    for parameter in layer.parameters():
        parameter.data = draw(*parameter.shape, seed=seed)
    return layer.requires_grad_(False)


@given(shape=st.tuples(*[st.integers(1, 6)] * 3), seed=st.integers(0, 99))
def test_linear(shape: tuple[int, int, int], seed: int) -> None:
    count, inputs, outputs = shape
    layer = draw_weights(nn.Linear(inputs, outputs), seed)
    x, P = draw(count, inputs, seed=seed + 1), draw(count, outputs, seed=seed + 2)
    # An inactive output has no P: what it gets from above is proportional to its activation.
    P *= (layer(x) > 0).any(0)
    assert_same(run_rule(make_rule(layer), x, P), compute_linear(P, x, layer.weight))


@given(
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    stride=st.integers(1, 3),
    padding=st.integers(0, 3),
    dilation=st.integers(1, 2),
    groups=st.sampled_from([1, 2]),
    seed=st.integers(0, 99),
)
def test_convolution(
    *, kernel: tuple[int, int], stride: int, padding: int, dilation: int, groups: int, seed: int
) -> None:
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    layer = draw_weights(nn.Conv2d(4, 6, kernel, **options), seed)
    x = draw(2, 4, 9, 8, seed=seed + 1)
    P = draw(*layer(x).shape, seed=seed + 2)
    expected = compute_convolution(P, x, layer.weight, **options)
    assert_same(run_rule(make_rule(layer), x, P), expected)


@pytest.mark.parametrize("size", [(20, 20), (21, 23)])
def test_wide_convolution(size: tuple[int, int]) -> None:
    # Wide enough for Winograd's algorithm, whose rounding error is a little larger.
    layer = draw_weights(nn.Conv2d(32, 40, 3, padding=1), 0)
    x, P = draw(1, 32, *size, seed=1).abs(), draw(1, 40, *size, seed=2)
    expected = compute_convolution(P, x, layer.weight, padding=1)
    assert_same(run_rule(make_rule(layer), x, P), expected)


@given(
    kernel=st.integers(1, 3), stride=st.integers(1, 3), padding=st.integers(0, 1),
    ceil_mode=st.booleans(), size=st.tuples(st.integers(4, 8), st.integers(4, 8)),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_max_pool(
    *, kernel: int, stride: int, padding: int, ceil_mode: bool, size: tuple[int, int], seed: int
) -> None:
    padding = min(padding, kernel // 2)
    layer = nn.MaxPool2d(kernel, stride, padding, ceil_mode=ceil_mode)
    x = draw(2, 3, *size, seed=seed)
    P = draw(*layer(x).shape, seed=seed + 1)
    options = {"kernel_size": kernel, "stride": stride, "padding": padding, "ceil_mode": ceil_mode}
    assert_same(run_rule(make_rule(layer), x, P), compute_max_pool(P, x, **options))


@pytest.mark.parametrize(
    "pool",
    [
        nn.AvgPool2d(2),
        nn.AvgPool2d(3, 2, 1),
        nn.AvgPool2d(3, 2, 1, count_include_pad=False),
        nn.AdaptiveAvgPool2d((3, 2)),
        nn.AdaptiveAvgPool2d(1),
    ],
)
def test_average_pool(pool: nn.Module) -> None:
    x = draw(2, 3, 7, 6, seed=0)
    P = draw(*pool(x).shape, seed=1)
    assert_same(run_rule(make_rule(pool), x, P), compute_average(P, x, pool))


@pytest.mark.parametrize("layer", [nn.ReLU(), nn.Dropout(), nn.Identity()])
def test_layers_without_weights_pass_p_through(layer: nn.Module) -> None:
    x, P = draw(2, 3, 4, 5, seed=0), draw(2, 3, 4, 5, seed=1)
    assert_same(run_rule(make_rule(layer), x, P), P)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_weights_are_converted_once_for_each_dtype(
    dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    weight = draw(40, 32, 3, 3, seed=0)
    options = {"stride": 1, "padding": 1, "dilation": 1, "groups": 1}
    W = FastConvolution(weight, options)
    a = draw(1, 32, 24, 24, seed=1).abs().to(dtype)

    def run() -> tuple[Tensor, ...]:
        y = W.apply(a)
        return y, W.apply_positive(a), W.plan_transpose(a, y, torch.zeros_like(y))(y)

    first = run()
    assert all(result.dtype == dtype for result in first)
    monkeypatch.setattr(Tensor, "contiguous", None)  # every conversion calls it
    monkeypatch.setattr(Tensor, "clamp", None)
    for found, expected in zip(run(), first, strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=0)
