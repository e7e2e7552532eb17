"""The rule by which each kind of layer hands P down: what excitation backprop is made of.

P is (B, K, ...), activations are (B, ...): ``[:, None]`` serves an image's K neurons. The formulas
are those of Zhang et al. (2016), section 3.2; a is the layer's input clamped at zero.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torch.nn.grad import conv2d_input

from explorer.config import ExplorerError


class AttributionError(ExplorerError, ValueError):
    """The layers, the images or the settings do not allow a map to be computed."""


def invert(normaliser: Tensor) -> Tensor:
    """Return 1 ⊘ (W⁺a), and 0 where W⁺a is 0 or so small that its inverse might overflow."""
    limits = torch.finfo(normaliser.dtype)
    return torch.where(normaliser > limits.tiny / limits.eps, 1 / normaliser, 0)


@dataclass(frozen=True, eq=False)
class PassRule:
    """P_in = P_out: identity, dropout, a folded batch norm. The base of the other rules."""

    layer: Any

    def forward(self, x: Tensor) -> Tensor:
        """Return the layer's output for activations `x`, (B, ...), signed."""
        return x

    def backward(self, P: Tensor, x: Tensor) -> Tensor:  # noqa: ARG002
        """Return P at the layer's input, given P at its output, (B, K, ...), and its input `x`."""
        return P


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

    def backward(self, P: Tensor, x: Tensor) -> Tensor:
        return P.reshape(*P.shape[:2], *x.shape[1:])


class LinearRule(PassRule):
    """P_in = a ⊙ W⁺ᵀ(P_out ⊘ (W⁺a)), with W (out, in)."""

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim != 2:
            raise AttributionError("a Flatten must come first")
        return F.linear(x, self.layer.weight, self.layer.bias)

    def backward(self, P: Tensor, x: Tensor) -> Tensor:
        a = x.clamp(min=0)
        positive: Tensor = self.layer.weight.clamp(min=0)
        return a[:, None] * ((P * invert(a @ positive.T)[:, None]) @ positive)


@dataclass(frozen=True, eq=False)
class ConvRule(PassRule):
    """P_in = a ⊙ W⁺ᵀ(P_out ⊘ (W⁺ ∗ a)), where W⁺ᵀ is the transposed convolution."""

    weight: Tensor  # (out, in / groups, kernel height, kernel width)
    bias: Tensor | None
    options: dict[str, Any]  # stride, padding, dilation, groups
    extra: tuple[int, int]  # zeros that "same" adds below and on the right for even kernels

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(self._pad(x), self.weight, self.bias, **self.options)

    def backward(self, P: Tensor, x: Tensor) -> Tensor:
        a, positive = self._pad(x.clamp(min=0)), self.weight.clamp(min=0)
        Q = (P * invert(F.conv2d(a, positive, **self.options))[:, None]).flatten(0, 1)
        Q = conv2d_input((len(Q), *a.shape[1:]), positive, Q, **self.options)
        P_in: Tensor = a[:, None] * Q.reshape(*P.shape[:2], *a.shape[1:])
        return P_in[..., : x.shape[2], : x.shape[3]]

    def _pad(self, x: Tensor) -> Tensor:
        return F.pad(x, (0, self.extra[1], 0, self.extra[0])) if any(self.extra) else x


class MaxPoolRule(PassRule):
    """P_in = the sum of P_out over the windows that the neuron wins; the first of equals wins."""

    def forward(self, x: Tensor) -> Tensor:
        pooled: Tensor = F.max_pool2d(x, **self._options())
        return pooled

    def backward(self, P: Tensor, x: Tensor) -> Tensor:
        winners = F.max_pool2d_with_indices(x, **self._options())[1].flatten(2)
        P = P.flatten(3)
        # Overlapping windows may choose the same winner, whose shares add up.
        P_in = P.new_zeros(*P.shape[:3], x.shape[2] * x.shape[3])
        P_in.scatter_add_(-1, winners[:, None].expand_as(P), P)
        return P_in.reshape(*P.shape[:3], *x.shape[2:])

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

    def backward(self, P: Tensor, x: Tensor) -> Tensor:
        a = x.clamp(min=0)
        rows, columns = (self._pool_axis(x, P, axis) for axis in (0, 1))
        Q = P * invert(rows.T @ a @ columns)[:, None]
        return a[:, None] * (rows @ Q @ columns.T)

    def _pool_axis(self, x: Tensor, P: Tensor, axis: int) -> Tensor:
        """Return the weights of one axis, (inputs, outputs): the unit vectors, pooled."""
        units = torch.eye(x.shape[2 + axis], dtype=x.dtype, device=x.device)[None]
        if isinstance(self.layer, nn.AdaptiveAvgPool2d):
            return F.adaptive_avg_pool1d(units, P.shape[3 + axis])[0]
        settings = (self.layer.kernel_size, self.layer.stride, self.layer.padding)
        kernel, stride, padding = (s if isinstance(s, int) else s[axis] for s in settings)
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
    return ConvRule(layer, layer.weight, layer.bias, options, extra)


def fold_batch_norm(conv: PassRule | None, norm: nn.BatchNorm2d) -> ConvRule:
    """Return the convolution that does what `conv` followed by `norm` does in evaluation."""
    if not isinstance(conv, ConvRule):
        raise AttributionError("there is no Conv2d right before it to fold it into")
    if norm.running_mean is None or norm.running_var is None:
        raise AttributionError("it has no running statistics to fold into its convolution")
    if norm.num_features != len(conv.weight):
        raise AttributionError(f"its convolution has {len(conv.weight)} channels")
    scale = (norm.running_var + norm.eps).rsqrt() * (1 if norm.weight is None else norm.weight)
    shift = (0 if conv.bias is None else conv.bias) - norm.running_mean
    bias = shift * scale + (0 if norm.bias is None else norm.bias)
    return replace(conv, weight=conv.weight * scale[:, None, None, None], bias=bias)


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
