"""Turns the layers of a network into rules, with batch norms folded into convolutions."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from explorer.attribution.rules import (
    AttributionError,
    AveragePoolRule,
    ConvRule,
    FlattenRule,
    LinearRule,
    MaxPoolRule,
    ReluRule,
    ResidualRule,
    Rule,
)
from explorer.nn.backbones.residual import Residual
from explorer.nn.fast.convolution import FastConvolution
from explorer.nn.own_weights import find_made_weight


def make_rules(layers: Iterable[nn.Module], x: Tensor) -> list[Rule]:
    """Return the rule of each layer, with batch norms folded into the convolutions before them.

    Parameters
    ----------
    layers : iterable of nn.Module
        See `explorer.attribution.excitation.mwp`, and `Residual`.
    x : Tensor
        Any tensor with the dtype and on the device of the images.

    Raises
    ------
    AttributionError
        When a layer is not supported, is not in the dtype or on the device of `x`, or has a weight
        that a hook makes; the message names it.
    """
    rules: list[Rule] = []
    for i, layer in enumerate(layers):
        try:
            if isinstance(layer, Residual):
                branches = tuple(make_rules(branch, x) for branch in layer.list_branches())
                rules.append(ResidualRule(layer, branches))
                continue
            _check_parameters(layer, x)
            if isinstance(layer, nn.BatchNorm2d):
                rules[-1:] = [_fold_batch_norm(rules[-1] if rules else None, layer), Rule(layer)]
            else:
                rules.append(make_rule(layer))
        except AttributionError as error:
            raise AttributionError(f"Layer {i}, {layer}: {error}.") from None
    return rules


def make_rule(layer: nn.Module) -> Rule:
    """Return the rule of one layer.

    Raises
    ------
    AttributionError
        When there is none for this kind of layer or for its settings.
    """
    for kind, make in _RULES.items():
        # A subclass with its own forward computes something that no rule here knows.
        if isinstance(layer, kind) and type(layer).forward is kind.forward:
            return make(layer)
    names = ", ".join(kind.__name__ for kind in _RULES)
    raise AttributionError(f"not supported; use {names}, or BatchNorm2d after a Conv2d")


def ends_in_linear(rules: Sequence[Rule]) -> bool:
    """Return whether the last layer is a Linear, whose outputs are the neurons to draw."""
    return bool(rules) and isinstance(rules[-1], LinearRule)


def _check_parameters(layer: nn.Module, x: Tensor) -> None:
    problem = find_made_weight(layer)
    if problem:
        raise AttributionError(problem)
    for tensor in (*layer.parameters(), *layer.buffers()):
        if tensor.is_floating_point() and (tensor.dtype, tensor.device) != (x.dtype, x.device):
            raise AttributionError(
                f"its {tensor.dtype} on {tensor.device} does not fit images in {x.dtype} on "
                f"{x.device}; move one of them with .to()"
            )


def _fold_batch_norm(conv: Rule | None, norm: nn.BatchNorm2d) -> ConvRule:
    """Return the convolution that equals `conv` followed by `norm` in evaluation mode."""
    if not isinstance(conv, ConvRule):
        raise AttributionError("there is no Conv2d right before it to fold it into")
    if norm.running_mean is None or norm.running_var is None:
        raise AttributionError("it has no running statistics to fold into its convolution")
    if (norm.running_var < 0).any():
        raise AttributionError("its running variance is negative")
    if norm.num_features != len(conv.W.weight):
        raise AttributionError(f"its convolution has {len(conv.W.weight)} channels")
    variance, mean = norm.running_var.double(), norm.running_mean.double()
    scale = (variance + norm.eps).rsqrt() * (1 if norm.weight is None else norm.weight)
    shift = (0 if conv.bias is None else conv.bias) - mean
    bias = shift * scale + (0 if norm.bias is None else norm.bias)
    folded = FastConvolution(
        conv.W.weight * scale[:, None, None, None], conv.W.options, conv.W.extra
    )
    return replace(conv, W=folded, bias=bias)


def _make_conv_rule(layer: nn.Conv2d) -> ConvRule:
    if layer.padding_mode != "zeros":
        raise AttributionError(f"padding_mode={layer.padding_mode!r} is not supported, only zeros")
    return ConvRule(layer, FastConvolution.from_layer(layer), layer.bias)


_RULES: dict[type[nn.Module], Callable[[Any], Rule]] = {
    nn.Conv2d: _make_conv_rule,
    nn.Linear: LinearRule,
    nn.ReLU: ReluRule,
    nn.MaxPool2d: MaxPoolRule,
    nn.AvgPool2d: AveragePoolRule,
    nn.AdaptiveAvgPool2d: AveragePoolRule,
    nn.Flatten: FlattenRule,
    **dict.fromkeys((nn.Dropout, nn.Dropout2d, nn.Identity), Rule),
}
