"""Where each dimension of Z comes from on a photo, which is the same for every module."""

from collections.abc import Sequence

import torch
from torch import Tensor

from explorer.attribution.layers import make_rules
from explorer.attribution.rules import Rule
from explorer.attribution.trace import Trace
from explorer.nn.backbones.backbone import Backbone

_CHUNK_VALUES = 2**20  # of P, for some of the dimensions of one photo; more leave the cache


@torch.no_grad()
def compute_z_maps(backbone: Backbone, images: Tensor) -> Tensor:
    """Compute plain MWP of each dimension of Z at the highest map with more than one pixel.

    Parameters
    ----------
    backbone : Backbone
        The classifier.
    images : Tensor
        (B, 3, H, W) float32, normalised, on the device of the classifier.

    Returns
    -------
    Tensor
        (B, S_z, cells) float32, >= 0: P at the output of `Backbone.highest_map`, summed over its
        channels. The values of a dimension sum to at most 1, and are zero if it is zero on the
        photo.

    Notes
    -----
    The rule of excitation backprop is linear in P. What a module passes down to Z, (K, S_z), times
    these maps is therefore the map of each x-feature, without another pass through the network.
    """
    maps = backbone.compute_highest_map(images).clone()
    above = list(backbone.trunk)[backbone.highest_map :]
    rules = make_rules([*above, *backbone.readout], maps)
    return torch.stack([_draw_outputs(one[None], rules) for one in maps])


def _draw_outputs(x: Tensor, rules: Sequence[Rule]) -> Tensor:
    """Draw all outputs of layers on the map of one photo, (1, C, h, w): (outputs, h · w)."""
    trace = Trace(x).extend(rules)
    drawn = x.new_zeros(trace.output.shape[1], x[0, 0].numel())
    for chosen in trace.output[0].nonzero()[:, 0].split(max(1, _CHUNK_VALUES // x.numel())):
        drawn[chosen] = trace.draw(chosen.tolist(), contrastive=False)[0].flatten(1)
    return drawn
