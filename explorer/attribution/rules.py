"""The rules of excitation backprop: how each kind of layer passes P down.

The formulas are those of Zhang et al. (2016), section 3.2; a is the layer's input clamped at zero.
A rule computes a layer's output, and makes the steps that take P from there to the layer's input.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from explorer.attribution import pool_2x2
from explorer.attribution.steps import (
    Average,
    Branches,
    Convolution,
    FullyConnected,
    Reshape,
    Scale,
    Step,
    UnpoolAny,
    append_step,
    invert,
)
from explorer.config import ExplorerError
from explorer.nn.fast.convolution import FastConvolution, as_pair


class AttributionError(ExplorerError, ValueError):
    """The layers, the images or the settings do not allow a map to be computed."""


@dataclass(frozen=True, eq=False)
class Rule:
    """P_in = P_out: identity, dropout, a folded batch norm. Base class of the other rules.

    Attributes
    ----------
    layer : nn.Module
        Never changed; its hooks never run.
    """

    layer: Any

    def forward(self, x: Tensor) -> Tensor:
        """Return the layer's output for activations `x`, (B, ...), signed."""
        return x

    def make_steps(self, x: Tensor, y: Tensor, dtype: torch.dtype) -> list[Step]:  # noqa: ARG002
        """Return the steps that take P from the output `y` to the input `x`, the lowest first.

        W⁺, normalisers and P are in `dtype`, except above a `Flatten`.
        """
        return []

    def record(self, x: Tensor, dtype: torch.dtype) -> tuple[Tensor, list[Step]]:
        """Return the output for `x` and the steps of the backward pass."""
        y = self.forward(x)
        return y, self.make_steps(x, y, dtype)


class ReluRule(Rule):
    """P_in = P_out."""

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x)  # never in place, even if the layer is: x may belong to the caller


class FlattenRule(Rule):
    """P_in = P_out, reshaped as x."""

    def forward(self, x: Tensor) -> Tensor:
        if (self.layer.start_dim, self.layer.end_dim) != (1, -1):
            raise AttributionError("only start_dim=1, end_dim=-1 is supported")
        return x.flatten(1)

    def make_steps(self, x: Tensor, y: Tensor, dtype: torch.dtype) -> list[Step]:  # noqa: ARG002
        return [Reshape(tuple(x.shape[1:]), dtype)]


class LinearRule(Rule):
    """P_in = a ⊙ W⁺ᵀ(P_out ⊘ (W⁺a)), with W (out, in)."""

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim != 2:
            raise AttributionError("a Flatten must come first")
        return F.linear(x.to(self.layer.weight.dtype), self.layer.weight, self.layer.bias)

    def make_steps(self, x: Tensor, y: Tensor, dtype: torch.dtype) -> list[Step]:  # noqa: ARG002
        a = x.clamp(min=0).to(self.layer.weight.dtype)
        # P from the layer above is proportional to y⁺, so it is zero where y is not positive.
        return [Scale(a), FullyConnected(a, self.layer.weight, (y > 0).any(0))]


@dataclass(frozen=True, eq=False)
class ConvRule(Rule):
    """P_in = a ⊙ W⁺ᵀ(P_out ⊘ (W⁺ ∗ a)), where W⁺ᵀ is the transposed convolution."""

    W: FastConvolution
    bias: Tensor | None

    def forward(self, x: Tensor) -> Tensor:
        return self.W.apply(x, self.bias)

    def make_steps(self, x: Tensor, y: Tensor, dtype: torch.dtype) -> list[Step]:
        a = x.to(dtype, copy=True).clamp_(min=0)
        inverse = invert(self.W.apply_positive(a))
        return [Scale(a), Convolution(self.W.plan_transpose(a, y, inverse)), Scale(inverse)]


class MaxPoolRule(Rule):
    """P_in = the sum of P_out over the windows that the neuron wins; the first of equals wins."""

    def forward(self, x: Tensor) -> Tensor:
        if pool_2x2.applies(self.layer, x):
            return pool_2x2.pool(x)
        pooled: Tensor = F.max_pool2d(x, **self._options())
        return pooled

    def make_steps(self, x: Tensor, y: Tensor, dtype: torch.dtype) -> list[Step]:
        if pool_2x2.applies(self.layer, x):
            return [pool_2x2.make_unpool(x, y, dtype)]
        winners = F.max_pool2d_with_indices(x, **self._options())[1]
        return [UnpoolAny(winners, (x.shape[2], x.shape[3]))]

    def _options(self) -> dict[str, Any]:
        names = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")
        return {name: getattr(self.layer, name) for name in names}


class AveragePoolRule(Rule):
    """P_in = a ⊙ Wᵀ(P_out ⊘ (Wa)), where W averages along the rows, then along the columns.

    A window's divisor is in both W and Wᵀ and cancels out, however padding is counted.
    """

    def forward(self, x: Tensor) -> Tensor:
        pooled: Tensor = self.layer.forward(x)
        return pooled

    def make_steps(self, x: Tensor, y: Tensor, dtype: torch.dtype) -> list[Step]:
        if isinstance(self.layer, nn.AdaptiveAvgPool2d) and x.shape == y.shape:
            return []  # windows of one pixel
        a = x.clamp(min=0).to(dtype)
        rows, columns = (self._compute_weights(a, y, axis) for axis in (0, 1))
        return [Scale(a), Average(rows, columns), Scale(invert(rows.T @ a @ columns))]

    def _compute_weights(self, a: Tensor, y: Tensor, axis: int) -> Tensor:
        """Return the weights along one axis, (inputs, outputs), by pooling unit vectors."""
        units = torch.eye(a.shape[2 + axis], dtype=a.dtype, device=a.device)[None]
        if isinstance(self.layer, nn.AdaptiveAvgPool2d):
            return F.adaptive_avg_pool1d(units, y.shape[2 + axis])[0]
        settings = (self.layer.kernel_size, self.layer.stride, self.layer.padding)
        kernel, stride, padding = (as_pair(s)[axis] for s in settings)
        return F.avg_pool1d(units, kernel, stride, padding, self.layer.ceil_mode)[0]


@dataclass(frozen=True, eq=False)
class ResidualRule(Rule):
    """P_in = the sum over branches of what each passes down of its share yᵢ⁺ ⊘ Σ y⁺ of P_out.

    The addition is a linear layer whose weights are all one. As in any other layer, a branch whose
    output is negative gets no share.
    """

    branches: tuple[list[Rule], ...]

    def forward(self, x: Tensor) -> Tensor:
        first, *others = (record_layers(rules, x, stop=len(rules))[0] for rules in self.branches)
        return sum(others, first)

    def record(self, x: Tensor, dtype: torch.dtype) -> tuple[Tensor, list[Step]]:
        recorded = [record_layers(rules, x, dtype=dtype) for rules in self.branches]
        shares = [y.clamp(min=0).to(dtype) for y, _ in recorded]
        inverse = invert(sum(shares[1:], shares[0]))
        branches = []
        for (_, steps), share in zip(recorded, shares, strict=True):
            append_step(steps, Scale(share.mul_(inverse)))
            branches.append(tuple(steps))
        first, *others = (y for y, _ in recorded)
        return sum(others, first), [Branches(tuple(branches))]


Watch = Callable[[int, Tensor], None]
"""Sees the output of a layer, (B, ...), and how many layers it takes. The output of a convolution
is overwritten by that of a ReLU above it."""


def record_layers(
    rules: Sequence[Rule],
    x: Tensor,
    below: Sequence[Step] = (),
    *,
    stop: int = 0,
    dtype: torch.dtype | None = None,
    watch: Watch | None = None,
) -> tuple[Tensor, list[Step]]:
    """Pass `x` through layers, and return the output and the steps of the backward pass.

    Parameters
    ----------
    rules : sequence of Rule
        One for each layer, the lowest first.
    x : Tensor
        (B, ...), signed: the input of the first layer. It is not changed.
    below : sequence of Step
        Steps of the layers below, which the returned ones begin with. They are not changed.
    stop : int
        Index of the first layer whose steps are returned.
    dtype : torch.dtype, optional
        Of P and W⁺ below the first fully-connected layer; by default that of each layer's input.
    watch : callable, optional
        Called with the output of each layer, which it must not change.

    Raises
    ------
    AttributionError
        When a layer cannot take its input; the message names the layer by its index in `rules`.
    """
    steps = list(below)
    for i, rule in enumerate(rules):
        if i == stop and not steps and x.ndim != 4:
            raise AttributionError(f"stop={stop}: its layer's input has no height and width.")
        if i > 0 and isinstance(rules[i - 1], ConvRule) and isinstance(rule, ReluRule):
            F.relu_(x)  # in place: nothing else uses the output of the convolution
        else:
            x, added = _record_layer(rule, x, i, dtype, is_kept=i >= stop)
            for step in added:
                append_step(steps, step, frozen=len(below))
        if watch is not None:
            watch(i + 1, x)
    return x, steps


def _record_layer(
    rule: Rule, x: Tensor, i: int, dtype: torch.dtype | None, *, is_kept: bool
) -> tuple[Tensor, list[Step]]:
    try:
        return rule.record(x, dtype or x.dtype) if is_kept else (rule.forward(x), [])
    except torch.OutOfMemoryError:
        raise
    except (AttributionError, RuntimeError, ValueError) as error:
        name = f"Layer {i}, {rule.layer}"
        raise AttributionError(f"{name}, cannot take {tuple(x.shape)}: {error}.") from error
