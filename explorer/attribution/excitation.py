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

from collections.abc import Iterable, Sequence
from numbers import Integral
from typing import Any

import torch
from torch import Tensor, nn

from explorer.attribution.rules import (
    AttributionError,
    LinearRule,
    PassRule,
    ReluRule,
    fold_batch_norm,
    invert,
    read_layer,
)


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
        if i >= stop and type(operation) not in (PassRule, ReluRule):
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


def _start_from_top(x: Tensor, weight: Tensor, contrastive: bool) -> Tensor:
    """Return P at the last layer's input, (B, K, F), each of its K neurons having P = 1.

    P⁺ₖ = a ⊙ Wₖ⁺ / (Wₖ⁺·a); contrastive: P⁺ − P⁻, with P⁻ the same from (−W)⁺.
    """
    a = x.clamp(min=0)

    def share(positive: Tensor) -> Tensor:
        return a[:, None] * positive * invert(a @ positive.T)[..., None]

    P = share(weight.clamp(min=0))
    return P - share((-weight).clamp(min=0)) if contrastive else P


def _read_layers(layers: list[nn.Module], x: Tensor) -> list[PassRule]:
    """Return what each layer does, with batch norms folded into the convolutions before them."""
    operations: list[PassRule] = []
    for i, layer in enumerate(layers):
        try:
            _check_parameters(layer, x)
            if isinstance(layer, nn.BatchNorm2d):
                folded = fold_batch_norm(operations[-1] if operations else None, layer)
                operations[-1:] = [folded, PassRule(layer)]
            else:
                operations.append(read_layer(layer))
        except AttributionError as error:
            raise AttributionError(f"Layer {i}, {layer}: {error}.") from None
    if not operations or not isinstance(operations[-1], LinearRule):
        raise AttributionError("The last layer must be a Linear: its outputs are the neurons.")
    return operations


def _apply(operation: PassRule, x: Tensor, i: int) -> Tensor:
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
