"""Excitation backprop (MWP) and its contrastive form (c-MWP), for a plain list of layers.

Zhang et al., "Top-down Neural Attention by Excitation Backprop", ECCV 2016, arXiv 1608.00507.
A neuron hands its marginal winning probability P down to the neurons that excite it, each in
proportion to its activation a times its positive weight: P_in = a ⊙ W⁺ᵀ(P_out ⊘ (W⁺a)), where
W⁺a = 0 contributes 0. This is linear in P, so any number of neurons share one forward pass, one
pass with W⁺ for the normalisers and one backward pass, with P of shape (B, K, ...) for K neurons.
No hook, mode or gradient of the layers plays a part: dropout is off, batch norm uses its running
statistics.

Two departures from the paper: it assumes non-negative activations, here a signed one (pixels
after mean subtraction) takes part as max(a, 0), so that no normaliser can turn around; and
normalisers too small to be divided by safely (1e-31 in float32) count as zero.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torch.nn.grad import conv2d_input

from explorer.config import ExplorerError


class AttributionError(ExplorerError, ValueError):
    """The layers, the images or the settings do not allow a map to be computed."""


def contrastive_mwp(
    layers: Iterable[nn.Module], x: Tensor, *, stop: int = 0, neurons: Sequence[int] | None = None
) -> Tensor:
    """Return the c-MWP maps: ``mwp(..., contrastive=True)``, see there."""
    return mwp(layers, x, stop=stop, contrastive=True, neurons=neurons)


@torch.no_grad()
def mwp(
    layers: Iterable[nn.Module],
    x: Tensor,
    *,
    stop: int = 0,
    contrastive: bool = False,
    neurons: Sequence[int] | None = None,
) -> Tensor:
    """Return a map of where each output neuron of a network finds its excitation.

    Parameters
    ----------
    layers : iterable of nn.Module
        Conv2d, Linear, ReLU, MaxPool2d, AvgPool2d, AdaptiveAvgPool2d, BatchNorm2d (right behind
        a Conv2d), Flatten, Dropout, Dropout2d, Identity; the last is a Linear. Never changed.
        A BatchNorm2d is folded into its convolution and counts as an Identity, also as a `stop`.
    x : Tensor
        Images, (B, C, H, W), float32 or float64 like the layers, finite, signed, any unit.
    stop : int
        The map is taken at the input of ``layers[stop]``, which must have height and width.
    contrastive : bool
        Subtract, at the last layer's input, the P that its weights (−W)⁺ hand down (section 3.3
        of the paper). What is left tells the neuron from its rivals.
    neurons : sequence of int, optional
        Outputs of the last layer to draw, in this order; all of them when not given.

    Returns
    -------
    Tensor
        (B, K, h, w), dtype and device of `x`, non-negative, finite: P summed over the channels,
        clamped at zero, not normalised. A plain map sums to at most 1, and to 1 when P meets no
        zero normaliser on its way; all zero where nothing excites the neuron.

    Raises
    ------
    AttributionError
        For a layer that is not supported (named with its index), layers and images that do not
        fit together, an impossible `stop` or `neurons`, and values that are not finite.
    """
    _check_images(x)
    operations = _read_layers(list(layers), x)
    if not _is_index(stop, len(operations)):
        raise AttributionError(f"stop must be from 0 to {len(operations) - 1}, not {stop!r}.")
    *below, top = operations
    chosen = _check_neurons(neurons, len(top.layer.weight))
    steps = []
    for i, operation in enumerate(below):
        # What only passes P on needs no memory of its input.
        if i >= stop and type(operation) not in (_Pass, _Relu):
            steps.append((operation, x))
        x = _apply(operation, x, i)
    if not _apply(top, x, len(below)).isfinite().all():
        raise AttributionError("The network's output is not finite: check weights and images.")
    P = _start_from_top(x, top.layer.weight[chosen], contrastive)
    for operation, x_in in reversed(steps):
        P = operation.backward(P, x_in)
    if P.ndim != 5:  # (B, K, C, h, w)
        raise AttributionError(f"stop={stop}: the input of that layer has no height and width.")
    return P.sum(dim=2).clamp_(min=0)


def _invert(normaliser: Tensor) -> Tensor:
    """Return 1 ⊘ (W⁺a), and 0 where W⁺a is 0 or so small that its inverse might overflow."""
    limits = torch.finfo(normaliser.dtype)
    return torch.where(normaliser > limits.tiny / limits.eps, 1 / normaliser, 0)


def _start_from_top(x: Tensor, weight: Tensor, contrastive: bool) -> Tensor:
    """Return P at the last layer's input, (B, K, F), each of its K neurons having P = 1.

    P⁺ₖ = a ⊙ Wₖ⁺ / (Wₖ⁺·a); contrastive: P⁺ − P⁻, with P⁻ the same from (−W)⁺.
    """
    a = x.clamp(min=0)

    def share(positive: Tensor) -> Tensor:
        return a[:, None] * positive * _invert(a @ positive.T)[..., None]

    P = share(weight.clamp(min=0))
    return P - share((-weight).clamp(min=0)) if contrastive else P


# The rules. P is (B, K, ...), activations are (B, ...): [:, None] serves an image's K neurons.


@dataclass(frozen=True, eq=False)
class _Pass:
    """P_in = P_out: identity, dropout, a folded batch norm. The base of the other rules."""

    layer: Any

    def forward(self, x: Tensor) -> Tensor:
        return x

    def backward(self, P: Tensor, x: Tensor) -> Tensor:  # noqa: ARG002
        return P


class _Relu(_Pass):
    """P_in = P_out."""

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x)  # never in place, whatever the layer says: x may be the caller's


class _Flatten(_Pass):
    """P_in = P_out in the shape of x."""

    def forward(self, x: Tensor) -> Tensor:
        if (self.layer.start_dim, self.layer.end_dim) != (1, -1):
            raise AttributionError("only start_dim=1, end_dim=-1 is supported")
        return x.flatten(1)

    def backward(self, P: Tensor, x: Tensor) -> Tensor:
        return P.reshape(*P.shape[:2], *x.shape[1:])


class _Linear(_Pass):
    """P_in = a ⊙ W⁺ᵀ(P_out ⊘ (W⁺a)), with W (out, in)."""

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim != 2:
            raise AttributionError("a Flatten must come first")
        return F.linear(x, self.layer.weight, self.layer.bias)

    def backward(self, P: Tensor, x: Tensor) -> Tensor:
        a = x.clamp(min=0)
        positive: Tensor = self.layer.weight.clamp(min=0)
        return a[:, None] * ((P * _invert(a @ positive.T)[:, None]) @ positive)


@dataclass(frozen=True, eq=False)
class _Conv(_Pass):
    """P_in = a ⊙ W⁺ᵀ(P_out ⊘ (W⁺ ∗ a)), where W⁺ᵀ is the transposed convolution."""

    weight: Tensor  # (out, in / groups, kernel height, kernel width)
    bias: Tensor | None
    options: dict[str, Any]  # stride, padding, dilation, groups
    extra: tuple[int, int]  # zeros that "same" adds below and on the right for even kernels

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(self._pad(x), self.weight, self.bias, **self.options)

    def backward(self, P: Tensor, x: Tensor) -> Tensor:
        a, positive = self._pad(x.clamp(min=0)), self.weight.clamp(min=0)
        Q = (P * _invert(F.conv2d(a, positive, **self.options))[:, None]).flatten(0, 1)
        Q = conv2d_input((len(Q), *a.shape[1:]), positive, Q, **self.options)
        P_in: Tensor = a[:, None] * Q.reshape(*P.shape[:2], *a.shape[1:])
        return P_in[..., : x.shape[2], : x.shape[3]]

    def _pad(self, x: Tensor) -> Tensor:
        return F.pad(x, (0, self.extra[1], 0, self.extra[0])) if any(self.extra) else x


class _MaxPool(_Pass):
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


class _AveragePool(_Pass):
    """P_in = a ⊙ Wᵀ(P_out ⊘ (Wa)), where W averages along the rows, then along the columns.

    A window's divisor is in both W and Wᵀ and cancels out, however padding is counted.
    """

    def forward(self, x: Tensor) -> Tensor:
        pooled: Tensor = self.layer.forward(x)
        return pooled

    def backward(self, P: Tensor, x: Tensor) -> Tensor:
        a = x.clamp(min=0)
        rows, columns = (self._pool_axis(x, P, axis) for axis in (0, 1))
        Q = P * _invert(rows.T @ a @ columns)[:, None]
        return a[:, None] * (rows @ Q @ columns.T)

    def _pool_axis(self, x: Tensor, P: Tensor, axis: int) -> Tensor:
        """Return the weights of one axis, (inputs, outputs): the unit vectors, pooled."""
        units = torch.eye(x.shape[2 + axis], dtype=x.dtype, device=x.device)[None]
        if isinstance(self.layer, nn.AdaptiveAvgPool2d):
            return F.adaptive_avg_pool1d(units, P.shape[3 + axis])[0]
        settings = (self.layer.kernel_size, self.layer.stride, self.layer.padding)
        kernel, stride, padding = (s if isinstance(s, int) else s[axis] for s in settings)
        return F.avg_pool1d(units, kernel, stride, padding, self.layer.ceil_mode)[0]


def _read_conv(layer: nn.Conv2d) -> _Conv:
    if layer.padding_mode != "zeros":
        raise AttributionError(f"padding_mode={layer.padding_mode!r} is not supported, only zeros")
    extra, options = (0, 0), {name: getattr(layer, name) for name in ("stride", "padding")}
    if layer.padding == "same":
        spread = [d * (k - 1) for d, k in zip(layer.dilation, layer.kernel_size, strict=True)]
        extra, options["padding"] = (spread[0] % 2, spread[1] % 2), [s // 2 for s in spread]
    elif layer.padding == "valid":
        options["padding"] = 0
    options |= {"dilation": layer.dilation, "groups": layer.groups}
    return _Conv(layer, layer.weight, layer.bias, options, extra)


def _fold_batch_norm(conv: _Pass | None, norm: nn.BatchNorm2d) -> _Conv:
    """Return the convolution that does what `conv` followed by `norm` does in evaluation."""
    if not isinstance(conv, _Conv):
        raise AttributionError("there is no Conv2d right before it to fold it into")
    if norm.running_mean is None or norm.running_var is None:
        raise AttributionError("it has no running statistics to fold into its convolution")
    if norm.num_features != len(conv.weight):
        raise AttributionError(f"its convolution has {len(conv.weight)} channels")
    scale = (norm.running_var + norm.eps).rsqrt() * (1 if norm.weight is None else norm.weight)
    shift = (0 if conv.bias is None else conv.bias) - norm.running_mean
    bias = shift * scale + (0 if norm.bias is None else norm.bias)
    return replace(conv, weight=conv.weight * scale[:, None, None, None], bias=bias)


_RULES: dict[type[nn.Module], Callable[[Any], _Pass]] = {
    nn.Conv2d: _read_conv,
    nn.Linear: _Linear,
    nn.ReLU: _Relu,
    nn.MaxPool2d: _MaxPool,
    nn.AvgPool2d: _AveragePool,
    nn.AdaptiveAvgPool2d: _AveragePool,
    nn.Flatten: _Flatten,
    **dict.fromkeys((nn.Dropout, nn.Dropout2d, nn.Identity), _Pass),
}


def _read_layer(layer: nn.Module) -> _Pass:
    for kind, rule in _RULES.items():
        # A subclass with a forward of its own computes something that no rule here knows.
        if isinstance(layer, kind) and type(layer).forward is kind.forward:
            return rule(layer)
    names = ", ".join(kind.__name__ for kind in _RULES)
    raise AttributionError(f"not supported; use {names}, or BatchNorm2d after a Conv2d")


def _read_layers(layers: list[nn.Module], x: Tensor) -> list[_Pass]:
    """Return what each layer does, with batch norms folded into the convolutions before them."""
    operations: list[_Pass] = []
    for i, layer in enumerate(layers):
        try:
            _check_parameters(layer, x)
            if isinstance(layer, nn.BatchNorm2d):
                folded = _fold_batch_norm(operations[-1] if operations else None, layer)
                operations[-1:] = [folded, _Pass(layer)]
            else:
                operations.append(_read_layer(layer))
        except AttributionError as error:
            raise AttributionError(f"Layer {i}, {layer}: {error}.") from None
    if not operations or not isinstance(operations[-1], _Linear):
        raise AttributionError("The last layer must be a Linear: its outputs are the neurons.")
    return operations


def _apply(operation: _Pass, x: Tensor, i: int) -> Tensor:
    try:
        return operation.forward(x)
    except torch.OutOfMemoryError:
        raise
    except (AttributionError, RuntimeError, ValueError) as error:
        name = f"Layer {i}, {operation.layer}"
        raise AttributionError(f"{name}, cannot take {tuple(x.shape)}: {error}.") from error


def _check_images(x: Tensor) -> None:
    if x.ndim != 4 or x.dtype not in (torch.float32, torch.float64):
        raise AttributionError(
            f"Images must be (B, C, H, W) in float32 or float64, not {tuple(x.shape)} in {x.dtype}."
        )
    if not x.isfinite().all():
        raise AttributionError("The images hold values that are infinite or not a number.")


def _check_parameters(layer: nn.Module, x: Tensor) -> None:
    for tensor in (*layer.parameters(), *layer.buffers()):
        if tensor.is_floating_point() and (tensor.dtype, tensor.device) != (x.dtype, x.device):
            raise AttributionError(
                f"its {tensor.dtype} on {tensor.device} does not fit images in {x.dtype} on "
                f"{x.device}; move one of them with .to()"
            )


def _is_index(value: Any, count: int) -> bool:
    # A mask of booleans is no list of indices, although each of them counts as an integer.
    return (
        isinstance(value, Integral) and not isinstance(value, bool) and int(value) in range(count)
    )


def _check_neurons(neurons: Sequence[int] | None, count: int) -> list[int]:
    chosen = list(range(count) if neurons is None else neurons)
    if not chosen or not all(_is_index(n, count) for n in chosen):
        raise AttributionError(
            f"neurons must be whole numbers from 0 to {count - 1}, not {chosen}."
        )
    return chosen
