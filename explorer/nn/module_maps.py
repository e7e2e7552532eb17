"""c-MWP of a module's x-features at Z and below, as a differentiable part of a loss.

The same maps as `explorer.attribution` draws of one photo, but for the batches of a training, with
gradients, and for groups of modules. Like the losses, the formulas use only methods of tensors.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from explorer.nn.srae import ExplanationModule

_SMALLEST = 1e-12  # a smaller normaliser counts as zero; its squared inverse is still finite


def compute_heat_at_z(module: "ExplanationModule", z: "Tensor") -> "Tensor":
    """Compute c-MWP of each x-feature, before its ReLU, at the dimensions of Z.

    Parameters
    ----------
    module : ExplanationModule
        A module, or a group of G modules.
    z : Tensor
        (..., M, S_z), >= 0. "..." stands for no dimension, or for the G of a group.

    Returns
    -------
    Tensor
        (..., M, K, S_z), signed. Differentiable with respect to the weights of the encoder.

    Notes
    -----
    Zhang et al., "Top-down Neural Attention by Excitation Backprop" (2016), section 3: at the last
    layer, P⁺ − P⁻ with P⁺ₖ = a ⊙ Wₖ⁺ / (Wₖ⁺·a) and P⁻ alike from (−W)⁺; below, the rule
    P_in = a ⊙ W⁺ᵀ(P_out ⊘ (W⁺a)).
    """
    inputs = [z]
    for layer in list(module.encoder)[:-2]:
        inputs.append(layer(inputs[-1]))
    *below, top = zip(inputs[::2], module.list_encoder_weights(), strict=True)
    heat = _share(*top) - _share(top[0], -top[1])
    for a, weight in reversed(below):
        positive = weight.clamp(min=0)
        received = heat * _invert(a @ positive).unsqueeze(-2)
        flat = received.flatten(-3, -2) @ positive.mT
        heat = a.unsqueeze(-2) * flat.unflatten(-2, received.shape[-3:-1])
    return heat


def compute_cell_maps(heat: "Tensor", z_maps: "Tensor") -> "Tensor":
    """Take heat at Z down to the cells of a map, summed over its channels and clamped at zero.

    Parameters
    ----------
    heat : Tensor
        (..., M, K, S_z), signed; see `compute_heat_at_z`.
    z_maps : Tensor
        (..., M, S_z, cells), >= 0: where each dimension of Z comes from on each photo; see
        `explorer.attribution.z_maps.compute_z_maps`.

    Returns
    -------
    Tensor
        (..., M, K, cells), >= 0.
    """
    return (heat @ z_maps).clamp(min=0)


def _share(a: "Tensor", weight: "Tensor") -> "Tensor":
    """Return a ⊙ Wₖ⁺ / (Wₖ⁺·a) of each neuron k, (..., M, K, inputs)."""
    positive = weight.clamp(min=0)
    inverse = _invert(a @ positive).unsqueeze(-1)
    return a.unsqueeze(-2) * positive.mT.unsqueeze(-3) * inverse


def _invert(normaliser: "Tensor") -> "Tensor":
    return (normaliser > _SMALLEST) / normaliser.clamp(min=_SMALLEST)
