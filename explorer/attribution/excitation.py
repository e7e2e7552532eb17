"""Excitation backprop (MWP) and its contrastive form (c-MWP), for a plain list of layers.

Zhang et al., "Top-down Neural Attention by Excitation Backprop", ECCV 2016, arXiv 1608.00507.
A neuron passes its marginal winning probability P down to the neurons that excite it, each in
proportion to its activation a times its positive weight: P_in = a ⊙ W⁺ᵀ(P_out ⊘ (W⁺a)), where
W⁺a = 0 contributes 0. This is linear in P, so any number of neurons share one forward pass, one
pass with W⁺ for the normalisers and one backward pass, with P of shape (B, K, ...) for K neurons.
Hooks, gradients and the mode of the layers are not used: dropout is off, and batch norm uses its
running statistics. Nor do autocast and PyTorch's other switches change the result.

Two departures from the paper: it assumes non-negative activations, while here a signed one (pixels
after mean subtraction) counts as max(a, 0), so that no normaliser changes sign; and normalisers too
small to divide by (1e-31 in float32) count as zero.
"""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from explorer.attribution.layers import ends_in_linear, make_rules
from explorer.attribution.rules import AttributionError
from explorer.attribution.trace import MAX_TRACE_BYTES, check_images, is_index, start_trace
from explorer.nn.arithmetic import fixed_arithmetic


def contrastive_mwp(
    layers: Iterable[nn.Module], x: Tensor, *, stop: int = 0, neurons: Sequence[int] | None = None
) -> Tensor:
    """Return c-MWP maps: ``mwp(..., contrastive=True)``."""
    return mwp(layers, x, stop=stop, contrastive=True, neurons=neurons)


@torch.no_grad()
@fixed_arithmetic()
def mwp(
    layers: Iterable[nn.Module],
    x: Tensor,
    *,
    stop: int = 0,
    contrastive: bool = False,
    neurons: Sequence[int] | None = None,
) -> Tensor:
    """Return a map of what excites each output neuron of a network.

    Parameters
    ----------
    layers : iterable of nn.Module
        Conv2d, Linear, ReLU, MaxPool2d, AvgPool2d, AdaptiveAvgPool2d, BatchNorm2d (right after
        a Conv2d), Flatten, Dropout, Dropout2d, Identity, and `Residual` from
        `explorer.nn.backbones.residual`; the last is a Linear. Never changed. A BatchNorm2d is
        folded into its convolution and counts as an Identity, also as a `stop`.
    x : Tensor
        Images, (B, C, H, W), float32 or float64 like the layers, finite, signed, any unit.
    stop : int
        The map is taken at the input of ``layers[stop]``, which must have height and width.
    contrastive : bool
        Subtract, at the last layer's input, the P that its weights (−W)⁺ pass down (section 3.3
        of the paper). What remains distinguishes the neuron from its rivals.
    neurons : sequence of int, optional
        Outputs of the last layer to draw, in this order; by default all.

    Returns
    -------
    Tensor
        (B, K, h, w), dtype and device of `x`, non-negative, finite: P summed over the channels,
        clamped at zero, not normalised. A plain MWP map sums to at most 1, and to 1 if P meets no
        zero normaliser on its way. It is all zero if nothing excites the neuron.

    Raises
    ------
    AttributionError
        For a layer that is not supported or whose weight a hook makes (named with its index),
        layers and images that do not fit together, an invalid `stop` or `neurons`, and values that
        are not finite.
    """
    check_images(x)
    rules = make_rules(layers, x)
    if not ends_in_linear(rules):
        raise AttributionError("The last layer must be a Linear: its outputs are the neurons.")
    if not is_index(stop, len(rules)):
        raise AttributionError(f"stop must be from 0 to {len(rules) - 1}, not {stop!r}.")
    maps: list[Tensor] = []
    first, size = 0, 1  # the first photo shows how much memory one takes
    while first < len(x) or not maps:
        trace = start_trace(x[first : first + size]).extend(rules, stop=stop, dtype=x.dtype)
        maps.append(trace.draw(neurons, contrastive=contrastive))
        first += size
        size = max(1, size * MAX_TRACE_BYTES // max(1, trace.nbytes))
    return torch.cat(maps)
