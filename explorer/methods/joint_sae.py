"""SRAE without the log: plain reconstruction of all of Z, trained together with the score."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from explorer.methods.base import TrainedMethod
from explorer.methods.srae import declare_beta, declare_pull_away
from explorer.nn.losses import (
    ModuleSettings,
    compute_misfit,
    compute_plain_reconstruction,
    compute_pull_away,
)

if TYPE_CHECKING:
    from torch import Tensor

    from explorer.nn.srae import ExplanationModule


@dataclass(frozen=True)
class JointSaeSettings(ModuleSettings):
    """Eq. (1) with a mean squared error instead of the log penalty.

    Attributes
    ----------
    beta : float
        Weight of the reconstruction term.
    pull_away : float
        Weight of the pull-away term.
    """

    method: ClassVar[str] = "joint-sae"
    old_names: ClassVar[tuple[str, ...]] = ("jointsae",)

    beta: float = declare_beta()
    pull_away: float = declare_pull_away()

    @property
    def rebuilds_z(self) -> bool:
        """Whether the reconstruction term has any weight."""
        return self.beta > 0

    def compute_terms(
        self,
        module: "ExplanationModule",
        z: "Tensor",
        y_hat: "Tensor",
        shares: "Tensor | None" = None,
    ) -> "dict[str, Tensor]":
        """Compute (ȳ − ŷ)², β times the mean squared error, and the pull-away term."""
        x_features, y_bar, rebuilt = module(z)
        terms = {
            "faithfulness": compute_misfit(y_bar, y_hat, shares),
            "reconstruction": self.beta * compute_plain_reconstruction(rebuilt, z, shares),
        }
        if self.pull_away:
            terms["pull_away"] = self.pull_away * compute_pull_away(x_features, shares)
        return terms


METHOD = TrainedMethod(
    name="joint-sae",
    title="SAE, trained jointly",
    colour="#e69f00",
    summary="Rebuilds the score and all of Z together: SRAE without the log.",
    settings=JointSaeSettings(),
)
