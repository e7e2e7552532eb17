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
    layers: Iterable[nn.Module],
    x: Tensor,
    *,
    stop: int = 0,
    neurons: Sequence[int] | None = None,
    exact: bool = False,
) -> Tensor:
    """Return c-MWP maps: ``mwp(..., contrastive=True)``."""
    return mwp(layers, x, stop=stop, contrastive=True, neurons=neurons, exact=exact)


def mwp(
    layers: Iterable[nn.Module],
    x: Tensor,
    *,
    stop: int = 0,
    contrastive: bool = False,
    neurons: Sequence[int] | None = None,
    exact: bool = False,
) -> Tensor:
    """Return a map of what excites each output neuron of a network.

    For more than one call, `ExcitationBackprop` prepares the weights once.

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
    exact : bool
        Run the forward pass in float64, which takes a fifth longer. In float32, a few dozen of a
        million pooling windows have another winner by a rounding error: maps of VGG19 then differ
        from exact ones by 1e-4 to 3e-4, where those of TorchRay differ by 3e-3.

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
    return ExcitationBackprop(layers, x).draw(
        x, stop=stop, contrastive=contrastive, neurons=neurons, exact=exact
    )


class ExcitationBackprop:
    """MWP and c-MWP of a network, with its weights prepared once. Thread-safe.

    Parameters
    ----------
    layers : iterable of nn.Module
        See `mwp`. Later changes of their weights may or may not count: make a new object then.
    like : Tensor, optional
        Any tensor with the dtype and on the device of the images; by default, the first parameter.

    Raises
    ------
    AttributionError
        For a layer that is not supported, whose weight a hook makes, or that does not fit `like`
        (named with its index), and a network that does not end in a Linear.
    """

    def __init__(self, layers: Iterable[nn.Module], like: Tensor | None = None) -> None:
        layers = list(layers)
        parameters = (parameter for layer in layers for parameter in layer.parameters())
        self._like = next(parameters, torch.empty(0)) if like is None else like
        self._rules = make_rules(layers, self._like)
        if not ends_in_linear(self._rules):
            raise AttributionError("The last layer must be a Linear: its outputs are the neurons.")

    @torch.no_grad()
    @fixed_arithmetic()
    def draw(
        self,
        x: Tensor,
        *,
        stop: int = 0,
        contrastive: bool = True,
        neurons: Sequence[int] | None = None,
        exact: bool = False,
    ) -> Tensor:
        """Return a map of what excites each output neuron, (B, K, h, w), >= 0.

        The parameters, the result and the errors are those of `mwp`.
        """
        check_images(x)
        if (x.dtype, x.device) != (self._like.dtype, self._like.device):
            raise AttributionError(
                f"Images in {x.dtype} on {x.device} do not fit layers in {self._like.dtype} on "
                f"{self._like.device}; move one of them with .to()."
            )
        rules = self._rules
        if not is_index(stop, len(rules)):
            raise AttributionError(f"stop must be from 0 to {len(rules) - 1}, not {stop!r}.")
        maps: list[Tensor] = []
        first, size = 0, 1  # the first photo shows how much memory one takes
        while first < len(x) or not maps:
            begun = start_trace(x[first : first + size], exact=exact)
            trace = begun.extend(rules, stop=stop, dtype=x.dtype)
            maps.append(trace.draw(neurons, contrastive=contrastive))
            first += size
            size = max(1, size * MAX_TRACE_BYTES // max(1, trace.nbytes))
        return torch.cat(maps)
