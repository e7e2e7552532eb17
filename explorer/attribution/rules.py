"""The rule by which each kind of layer hands P down: what excitation backprop is made of.

The formulas are those of Zhang et al. (2016), section 3.2; a is the layer's input clamped at zero.
A rule computes a layer's output and says by which steps P comes from there to its input.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from explorer.attribution.fast import pairs
from explorer.attribution.fast.convolution import FastConvolution, as_pair
from explorer.attribution.steps import (
    Average,
    Convolution,
    FullyConnected,
    Reshape,
    Scale,
    Step,
    UnpoolAny,
    invert,
)
from explorer.config import ExplorerError


class AttributionError(ExplorerError, ValueError):
    """The layers, the images or the settings do not allow a map to be computed."""


@dataclass(frozen=True, eq=False)
class PassRule:
    """P_in = P_out: identity, dropout, a folded batch norm. The base of the other rules.

    Attributes
    ----------
    layer : nn.Module
        Never called, never changed.
    """

    layer: Any

    def forward(self, x: Tensor) -> Tensor:
        """Return the layer's output for activations `x`, (B, ...), signed."""
        return x

    def remember(self, x: Tensor, y: Tensor, dtype: torch.dtype) -> list[Step]:  # noqa: ARG002
        """List, from the input up, the steps that take P from the output `y` to the input `x`.

        In `dtype` are W⁺, normalisers and P, except above a `Flatten`.
        """
        return []

    def pass_up(self, x: Tensor, dtype: torch.dtype) -> tuple[Tensor, list[Step]]:
        """Return the output for `x`, and the steps down from it; see `forward` and `remember`."""
        y = self.forward(x)
        return y, self.remember(x, y, dtype)


class ReluRule(PassRule):
    """P_in = P_out."""

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x)  # never in place, whatever the layer says: x may be the caller's


class FlattenRule(PassRule):
    """P_in = P_out in the shape of x."""

    def forward(self, x: Tensor) -> Tensor:
        if (self.layer.start_dim, self.layer.end_dim) != (1, -1):
            raise AttributionError("only start_dim=1, end_dim=-1 is supported")
        return x.flatten(1)

    def remember(self, x: Tensor, y: Tensor, dtype: torch.dtype) -> list[Step]:  # noqa: ARG002
        return [Reshape(tuple(x.shape[1:]), dtype)]


class LinearRule(PassRule):
    """P_in = a ⊙ W⁺ᵀ(P_out ⊘ (W⁺a)), with W (out, in)."""

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim != 2:
            raise AttributionError("a Flatten must come first")
        return F.linear(x.to(self.layer.weight.dtype), self.layer.weight, self.layer.bias)

    def remember(self, x: Tensor, y: Tensor, dtype: torch.dtype) -> list[Step]:  # noqa: ARG002
        a = x.clamp(min=0).to(self.layer.weight.dtype)
        # Above, P is in proportion to the activation, and so is zero where that is.
        return [Scale(a), FullyConnected(a, self.layer.weight, (y > 0).any(0))]


@dataclass(frozen=True, eq=False)
class ConvRule(PassRule):
    """P_in = a ⊙ W⁺ᵀ(P_out ⊘ (W⁺ ∗ a)), where W⁺ᵀ is the transposed convolution."""

    W: FastConvolution
    bias: Tensor | None

    def forward(self, x: Tensor) -> Tensor:
        return self.W.apply(x, self.bias)

    def remember(self, x: Tensor, y: Tensor, dtype: torch.dtype) -> list[Step]:
        a = x.to(dtype, copy=True).clamp_(min=0)
        inverse = invert(self.W.apply_positive(a))
        return [Scale(a), Convolution(self.W.plan_transpose(a, y, inverse)), Scale(inverse)]


class MaxPoolRule(PassRule):
    """P_in = the sum of P_out over the windows that the neuron wins; the first of equals wins."""

    def forward(self, x: Tensor) -> Tensor:
        if pairs.pools_pairs(self.layer, x):
            return pairs.pool(x)
        pooled: Tensor = F.max_pool2d(x, **self._options())
        return pooled

    def remember(self, x: Tensor, y: Tensor, dtype: torch.dtype) -> list[Step]:
        if pairs.pools_pairs(self.layer, x):
            return [pairs.unpool(x, y, dtype)]
        winners = F.max_pool2d_with_indices(x, **self._options())[1]
        return [UnpoolAny(winners, (x.shape[2], x.shape[3]))]

    def _options(self) -> dict[str, Any]:
        names = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")
        return {name: getattr(self.layer, name) for name in names}


class AveragePoolRule(PassRule):
    """P_in = a ⊙ Wᵀ(P_out ⊘ (Wa)), where W averages along the rows, then along the columns.

    A window's divisor is in both W and Wᵀ and cancels out, however padding is counted.
    """

    def forward(self, x: Tensor) -> Tensor:
        pooled: Tensor = self.layer.forward(x)
        return pooled

    def remember(self, x: Tensor, y: Tensor, dtype: torch.dtype) -> list[Step]:
        if isinstance(self.layer, nn.AdaptiveAvgPool2d) and x.shape == y.shape:
            return []  # windows of one pixel: P stays where it is
        a = x.clamp(min=0).to(dtype)
        rows, columns = (self._pool_axis(a, y, axis) for axis in (0, 1))
        return [Scale(a), Average(rows, columns), Scale(invert(rows.T @ a @ columns))]

    def _pool_axis(self, a: Tensor, y: Tensor, axis: int) -> Tensor:
        """Return the weights of one axis, (inputs, outputs): the unit vectors, pooled."""
        units = torch.eye(a.shape[2 + axis], dtype=a.dtype, device=a.device)[None]
        if isinstance(self.layer, nn.AdaptiveAvgPool2d):
            return F.adaptive_avg_pool1d(units, y.shape[2 + axis])[0]
        settings = (self.layer.kernel_size, self.layer.stride, self.layer.padding)
        kernel, stride, padding = (as_pair(s)[axis] for s in settings)
        return F.avg_pool1d(units, kernel, stride, padding, self.layer.ceil_mode)[0]


def _read_conv(layer: nn.Conv2d) -> ConvRule:
    if layer.padding_mode != "zeros":
        raise AttributionError(f"padding_mode={layer.padding_mode!r} is not supported, only zeros")
    extra, options = (0, 0), {name: getattr(layer, name) for name in ("stride", "padding")}
    if layer.padding == "same":
        spread = [d * (k - 1) for d, k in zip(layer.dilation, layer.kernel_size, strict=True)]
        extra, options["padding"] = (spread[0] % 2, spread[1] % 2), [s // 2 for s in spread]
    elif layer.padding == "valid":
        options["padding"] = 0
    options |= {"dilation": layer.dilation, "groups": layer.groups}
    return ConvRule(layer, FastConvolution(layer.weight, options, extra), layer.bias)


def fold_batch_norm(conv: PassRule | None, norm: nn.BatchNorm2d) -> ConvRule:
    """Return the convolution that does what `conv` followed by `norm` does in evaluation."""
    if not isinstance(conv, ConvRule):
        raise AttributionError("there is no Conv2d right before it to fold it into")
    if norm.running_mean is None or norm.running_var is None:
        raise AttributionError("it has no running statistics to fold into its convolution")
    if norm.num_features != len(conv.W.weight):
        raise AttributionError(f"its convolution has {len(conv.W.weight)} channels")
    variance, mean = norm.running_var.double(), norm.running_mean.double()
    scale = (variance + norm.eps).rsqrt() * (1 if norm.weight is None else norm.weight)
    shift = (0 if conv.bias is None else conv.bias) - mean
    bias = shift * scale + (0 if norm.bias is None else norm.bias)
    weight = conv.W.weight * scale[:, None, None, None]
    return replace(conv, W=FastConvolution(weight, conv.W.options, conv.W.extra), bias=bias)


_RULES: dict[type[nn.Module], Callable[[Any], PassRule]] = {
    nn.Conv2d: _read_conv,
    nn.Linear: LinearRule,
    nn.ReLU: ReluRule,
    nn.MaxPool2d: MaxPoolRule,
    nn.AvgPool2d: AveragePoolRule,
    nn.AdaptiveAvgPool2d: AveragePoolRule,
    nn.Flatten: FlattenRule,
    **dict.fromkeys((nn.Dropout, nn.Dropout2d, nn.Identity), PassRule),
}


def read_layer(layer: nn.Module) -> PassRule:
    """Return the rule of `layer`.

    Raises
    ------
    AttributionError
        When there is none for this kind of layer or for its settings.
    """
    for kind, rule in _RULES.items():
        # A subclass with a forward of its own computes something that no rule here knows.
        if isinstance(layer, kind) and type(layer).forward is kind.forward:
            return rule(layer)
    names = ", ".join(kind.__name__ for kind in _RULES)
    raise AttributionError(f"not supported; use {names}, or BatchNorm2d after a Conv2d")
