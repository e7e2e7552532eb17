"""The rule by which each kind of layer hands P down: what excitation backprop is made of.

The formulas are those of Zhang et al. (2016), section 3.2; a is the layer's input clamped at zero.
A rule computes a layer's output and says by which steps P comes from there to its input.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, TypeVar

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torch.nn.grad import conv2d_input

from explorer.attribution.fast import winograd
from explorer.attribution.steps import (
    Average,
    Convolution,
    FullyConnected,
    Reshape,
    Scale,
    Step,
    UnpoolAny,
    UnpoolPairs,
    cut_pairs,
    invert,
)
from explorer.config import ExplorerError

T = TypeVar("T")

# Pixels that differ by less, relatively, are equal but for rounding.
_TIE = {torch.float64: 1e-12}
_ROUGHEST = 16.0  # an activation over its normaliser, up to which Winograd's rounding is harmless


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

    weight: Tensor  # (out, in / groups, kernel height, kernel width)
    bias: Tensor | None
    options: dict[str, Any]  # stride, padding, dilation, groups
    extra: tuple[int, int]  # zeros that "same" adds below and on the right for even kernels

    def forward(self, x: Tensor) -> Tensor:
        bias = None if self.bias is None else self.bias.to(x.dtype)
        if not (self.kernels.can_filter and winograd.pays(self.weight, x)):
            weight = self.kernels.get_signed(x.dtype)
            return F.conv2d(self._pad(x), weight, bias, **self.options)
        y = winograd.convolve(x, self.kernels.get_signed_filters(x.dtype))
        return y if bias is None else y.add_(bias[:, None, None])

    def remember(self, x: Tensor, y: Tensor, dtype: torch.dtype) -> list[Step]:
        a = x.to(dtype, copy=True).clamp_(min=0)
        padded = self._pad(a)
        inverse = invert(F.conv2d(padded, self.kernels.get_positive(dtype), **self.options))
        transpose = self._choose_transpose(padded, y, inverse)
        return [Scale(a), Convolution(transpose, (x.shape[2], x.shape[3])), Scale(inverse)]

    def _choose_transpose(
        self, a: Tensor, y: Tensor, inverse: Tensor
    ) -> Callable[[Tensor], Tensor]:
        kernels, dtype = self.kernels, a.dtype
        if not kernels.can_flip:
            positive = kernels.get_positive(dtype)
            return partial(_transpose, size=a.shape[1:], weight=positive, options=self.options)
        is_smooth = winograd.pays(self.weight, a) and (y * inverse).amax() <= _ROUGHEST
        if is_smooth and kernels.can_filter:
            return partial(winograd.convolve, filters=kernels.get_filters(dtype))
        return partial(F.conv2d, weight=kernels.get_flipped(dtype), padding=kernels.padding)

    @cached_property
    def kernels(self) -> "Kernels":
        """The weights in every form in which they are needed."""
        return Kernels(self.weight.detach(), self.options)

    def _pad(self, x: Tensor) -> Tensor:
        return F.pad(x, (0, self.extra[1], 0, self.extra[0])) if any(self.extra) else x


class Kernels:
    """Weights of a convolution, in the forms and number formats in which they are asked for.

    Each is made once and kept, so that the next photo finds it ready.
    """

    def __init__(self, weight: Tensor, options: dict[str, Any]) -> None:
        self._weight, self._options = weight, options
        self._made: dict[tuple[str, torch.dtype], Any] = {}

    @property
    def can_flip(self) -> bool:
        """Whether the transposed convolution is a convolution with the kernel turned around."""
        options, sides = self._options, self._weight.shape[2:]
        is_dense = options["groups"] == 1 and _as_pair(options["dilation"]) == (1, 1)
        padding = _as_pair(options["padding"])
        fits = all(side > pad for side, pad in zip(sides, padding, strict=True))
        return is_dense and fits and _as_pair(options["stride"]) == (1, 1)

    @property
    def padding(self) -> list[int]:
        """Zeros that the transposed convolution needs around its input, where it `can_flip`."""
        pads = _as_pair(self._options["padding"])
        return [side - 1 - pad for side, pad in zip(self._weight.shape[2:], pads, strict=True)]

    @property
    def can_filter(self) -> bool:
        """Whether `winograd.convolve` does the same, up and down."""
        return self.can_flip and self.padding == [1, 1] and self._weight.shape[2:] == (3, 3)

    def get_signed(self, dtype: torch.dtype) -> Tensor:
        """Return W itself, (O, I / groups, h, w)."""
        return self._get("signed", dtype, lambda: _lay_out(self._weight.to(dtype)))

    def get_signed_filters(self, dtype: torch.dtype) -> Tensor:
        """Return W itself, as `winograd.convolve` takes it."""
        return self._get("filters of W", dtype, lambda: _transform(self._weight, dtype))

    def get_positive(self, dtype: torch.dtype) -> Tensor:
        """Return W⁺, (O, I / groups, h, w)."""
        return self._get("positive", dtype, lambda: _lay_out(self._weight.clamp(min=0).to(dtype)))

    def get_flipped(self, dtype: torch.dtype) -> Tensor:
        """Return W⁺ turned around, (I, O, h, w)."""
        return self._get("flipped", dtype, lambda: _lay_out(self._flip().to(dtype)))

    def get_filters(self, dtype: torch.dtype) -> Tensor:
        """Return W⁺ turned around, as `winograd.convolve` takes it."""
        return self._get("filters of W⁺", dtype, lambda: _transform(self._flip(), dtype))

    def _flip(self) -> Tensor:
        return self._weight.clamp(min=0).flip(2, 3).transpose(0, 1)

    def _get(self, form: str, dtype: torch.dtype, make: Callable[[], T]) -> T:
        if (form, dtype) not in self._made:
            self._made[form, dtype] = make()
        made: T = self._made[form, dtype]
        return made


def _as_pair(value: int | Sequence[int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[1])


def _transform(weight: Tensor, dtype: torch.dtype) -> Tensor:
    return winograd.transform_weight(weight.double()).to(dtype)


def _lay_out(weight: Tensor) -> Tensor:
    return weight.contiguous(memory_format=torch.channels_last)


def _transpose(Q: Tensor, size: torch.Size, weight: Tensor, options: dict[str, Any]) -> Tensor:
    P_in: Tensor = conv2d_input([len(Q), *size], weight, Q, **options)
    return P_in


class MaxPoolRule(PassRule):
    """P_in = the sum of P_out over the windows that the neuron wins; the first of equals wins."""

    def forward(self, x: Tensor) -> Tensor:
        if self._is_pairs(x):
            a, b, c, d = cut_pairs(x)
            return torch.maximum(torch.maximum(a, b), torch.maximum(c, d))
        pooled: Tensor = F.max_pool2d(x, **self._options())
        return pooled

    def remember(self, x: Tensor, y: Tensor, dtype: torch.dtype) -> list[Step]:
        if not self._is_pairs(x):
            winners = F.max_pool2d_with_indices(x, **self._options())[1]
            return [UnpoolAny(winners, (x.shape[2], x.shape[3]))]
        shares: list[Tensor] = []
        is_free = torch.ones_like(y, dtype=torch.bool)
        least = y - y.abs() * _TIE.get(y.dtype, 0)
        for place in cut_pairs(x):
            wins = (place >= least) & is_free
            is_free &= ~wins
            shares.append(wins.to(dtype))
        return [UnpoolPairs(tuple(shares))]

    def _options(self) -> dict[str, Any]:
        names = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")
        return {name: getattr(self.layer, name) for name in names}

    def _is_pairs(self, x: Tensor) -> bool:
        kernel, stride, padding, dilation = (
            _as_pair(getattr(self.layer, name))
            for name in ("kernel_size", "stride", "padding", "dilation")
        )
        is_even = x.ndim == 4 and x.shape[2] % 2 == x.shape[3] % 2 == 0
        return is_even and (kernel, stride, padding, dilation) == ((2, 2), (2, 2), (0, 0), (1, 1))


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
        kernel, stride, padding = (_as_pair(s)[axis] for s in settings)
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
    variance, mean = norm.running_var.double(), norm.running_mean.double()
    scale = (variance + norm.eps).rsqrt() * (1 if norm.weight is None else norm.weight)
    shift = (0 if conv.bias is None else conv.bias) - mean
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
