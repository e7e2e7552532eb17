"""NN: the same encoder, trained to rebuild only the score."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from explorer.methods.base import PaperFigures, TrainedMethod
from explorer.methods.srae import declare_pull_away
from explorer.nn.losses import ModuleSettings, compute_misfit, compute_pull_away

if TYPE_CHECKING:
    from torch import Tensor

    from explorer.nn.srae import ExplanationModule


@dataclass(frozen=True)
class NnSettings(ModuleSettings):
    """Only the faithfulness term of eq. (1).

    With pretraining, it starts from the same pretrained layers as the other methods.

    Attributes
    ----------
    pull_away : float
        Weight of the pull-away term; 0 in the paper.
    """

    method: ClassVar[str] = "nn"

    pull_away: float = declare_pull_away()

    @property
    def rebuilds_z(self) -> bool:
        """False."""
        return False

    def compute_terms(
        self,
        module: "ExplanationModule",
        z: "Tensor",
        y_hat: "Tensor",
        shares: "Tensor | None" = None,
    ) -> "dict[str, Tensor]":
        """Compute (ȳ − ŷ)² and the pull-away term; see the base class."""
        x_features, y_bar, _ = module(z, rebuild=False)
        terms = {"faithfulness": compute_misfit(y_bar, y_hat, shares)}
        if self.pull_away:
            terms["pull_away"] = self.pull_away * compute_pull_away(x_features, shares)
        return terms


METHOD = TrainedMethod(
    name="nn",
    title="NN",
    colour="#009e73",
    summary="Rebuilds only the score, and nothing of Z.",
    paper=PaperFigures(0.0657, 0.1170, 2.3078),
    settings=NnSettings(),
)
