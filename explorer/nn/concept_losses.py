"""The terms of a loss that make x-features different concepts.

Like those of `explorer.nn.losses`, they use only methods of tensors, and "..." stands for no
dimension, or for that of a group of modules.
"""

from typing import TYPE_CHECKING

from explorer.nn.losses import SMALLEST_NORM, average

if TYPE_CHECKING:
    from torch import Tensor

    from explorer.nn.guide import Guide


def compute_evenness(contributions: "Tensor") -> "Tensor":
    """Compute how few x-features carry the score: the sum of their squared shares in it.

    Parameters
    ----------
    contributions : Tensor
        (..., M, K): vₙEₙ, signed.

    Returns
    -------
    Tensor
        (...), Σ s² with the shares s of the positive contributions, averaged over the examples: 1
        if one x-feature is the whole score, 1/K if all have equal shares. An example without
        positive contributions counts as 0.

    Notes
    -----
    The inverse of Hill's number of order 2, "Diversity and Evenness" (1973).
    """
    positive = contributions.clamp(min=0)
    shares = positive / positive.sum(dim=-1, keepdim=True).clamp(min=SMALLEST_NORM)
    return shares.square().sum(dim=-1).mean(dim=-1)


def compute_cancellation(contributions: "Tensor") -> "Tensor":
    """Compute how much of the score x-features take from each other.

    Parameters
    ----------
    contributions : Tensor
        (..., M, K): vₙEₙ, signed.

    Returns
    -------
    Tensor
        (...), the share of negative contributions in Σ |vₙEₙ|, averaged over the examples: in
        [0, 1]. An example without contributions counts as 0.
    """
    total = contributions.abs().sum(dim=-1).clamp(min=SMALLEST_NORM)
    return ((-contributions).clamp(min=0).sum(dim=-1) / total).mean(dim=-1)


def compute_disagreement(
    x_features: "Tensor", targets: "Tensor", shares: "Tensor | None" = None
) -> "Tensor":
    """Compute how far x-features are from proportional to targets, apart from a constant.

    Parameters
    ----------
    x_features, targets : Tensor
        (..., M, K).
    shares : Tensor, optional
        (..., M); see `explorer.nn.losses`.

    Returns
    -------
    Tensor
        (...), one minus the correlation over the examples, averaged over x-features: in [0, 2]. An
        x-feature or a target that is the same on all examples counts as 1.
    """
    one, other = (
        values - average(values, shares).unsqueeze(-2) for values in (x_features, targets)
    )
    product = average(one * other, shares)
    sizes = average(one.square(), shares) * average(other.square(), shares)
    return 1 - (product / sizes.clamp(min=SMALLEST_NORM).sqrt()).mean(dim=-1)


def compute_map_disagreement(maps: "Tensor", guide: "Guide") -> "Tensor":
    """Compute how far the maps of x-features are from where the evidence of each comes from.

    The evidence of all concepts comes from nearly the same places if Z is a fully-connected layer.
    So each map is compared with where its concept has more than an average share of its evidence.

    Parameters
    ----------
    maps : Tensor
        (..., P, K, cells), >= 0: c-MWP on the photos of the guide.
    guide : Guide
        The evidence.

    Returns
    -------
    Tensor
        (...), one minus the cosine, averaged over x-features and photos: in [0, 1].
    """
    sources = (guide.z.unsqueeze(-2) * guide.evidence.mT.unsqueeze(-3)) @ guide.z_maps
    sources = sources / sources.sum(dim=-1, keepdim=True).clamp(min=SMALLEST_NORM)
    targets = (sources - sources.mean(dim=-2, keepdim=True)).clamp(min=0)
    norms = [one.norm(dim=-1).clamp(min=SMALLEST_NORM) for one in (maps, targets)]
    cosines: Tensor = (maps * targets).sum(dim=-1) / norms[0] / norms[1]
    return 1 - cosines.mean(dim=(-2, -1))
