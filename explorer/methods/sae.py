"""SAE: a conventional stacked autoencoder of all of Z, with the score fitted afterwards."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from explorer.methods.base import PaperFigures, TrainedMethod
from explorer.nn.losses import ModuleSettings, compute_plain_reconstruction

if TYPE_CHECKING:
    from torch import Tensor

    from explorer.nn.srae import ExplanationModule


@dataclass(frozen=True)
class SaeSettings(ModuleSettings):
    """Mean squared reconstruction error of all of Z, followed by a least-squares fit of v."""

    method: ClassVar[str] = "sae"
    trains_v: ClassVar[bool] = False

    @property
    def rebuilds_z(self) -> bool:
        """True."""
        return True

    def compute_terms(
        self,
        module: "ExplanationModule",
        z: "Tensor",
        y_hat: "Tensor",  # noqa: ARG002
        shares: "Tensor | None" = None,
    ) -> "dict[str, Tensor]":
        """Compute the mean squared error of the reconstruction; see the base class."""
        rebuilt = module.decoder(module.encoder(z))
        return {"reconstruction": compute_plain_reconstruction(rebuilt, z, shares)}


METHOD = TrainedMethod(
    name="sae",
    title="SAE",
    colour="#cc79a7",
    summary="Rebuilds all of Z first, then fits the score to what it found.",
    paper=PaperFigures(0.0987, 0.1928, 2.1492),
    settings=SaeSettings(),
)
