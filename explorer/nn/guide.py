"""What guides the terms of a loss that are about concepts."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Guide:
    """What a loss knows of a category besides Z and ŷ of a batch.

    Attributes
    ----------
    z : Tensor
        (..., P, S_z), >= 0: Z of some photos of the category.
    z_maps : Tensor
        (..., P, S_z, cells), >= 0: where each dimension of Z comes from on these photos; see
        `explorer.attribution.z_maps.compute_z_maps`.
    evidence : Tensor
        (..., S_z, K), >= 0: what each dimension of Z adds to each of K concepts; see
        `explorer.training.modules.evidence.factorise_evidence`.
    signals : Tensor
        (..., S_z, K), signed: weights of signals that follow one concept each; see
        `explorer.training.modules.evidence.separate_evidence`.
    """

    z: "Tensor"
    z_maps: "Tensor"
    evidence: "Tensor"
    signals: "Tensor"
