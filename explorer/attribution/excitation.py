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

import torch
from torch import Tensor, nn

from explorer.attribution.rules import AttributionError
from explorer.attribution.trace import (
    BYTES_OF_TRACES,
    begin,
    check_images,
    ends_in_linear,
    is_index,
    read_layers,
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
    check_images(x)
    rules = read_layers(layers, x)
    if not ends_in_linear(rules):
        raise AttributionError("The last layer must be a Linear: its outputs are the neurons.")
    if not is_index(stop, len(rules)):
        raise AttributionError(f"stop must be from 0 to {len(rules) - 1}, not {stop!r}.")
    maps: list[Tensor] = []
    size = 1
    while sum(map(len, maps)) < len(x) or not maps:
        done = sum(map(len, maps))
        trace = begin(x[done : done + size]).follow(rules, stop=stop, dtype=x.dtype)
        maps.append(trace.draw(neurons, contrastive=contrastive))
        size = max(1, size * BYTES_OF_TRACES // max(1, trace.nbytes))
    return torch.cat(maps)
