"""SRAE, the paper's method: x-features that rebuild the score and what matters of Z."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from explorer.methods.base import PaperFigures, TrainedMethod
from explorer.nn.losses import (
    ModuleSettings,
    compute_misfit,
    compute_pull_away,
    compute_sparse_reconstruction,
)
from explorer.settings.declaring import setting

if TYPE_CHECKING:
    from torch import Tensor

    from explorer.nn.srae import ExplanationModule


def declare_beta() -> float:
    """Declare β, which weighs reconstruction against faithfulness."""
    weight: float = setting(
        1.0,
        "How much rebuilding Z counts beside rebuilding the score. With 0, x-features need not "
        "reflect what the network saw.",
        label="β",
        low=0,
        high=1e6,
    )
    return weight


def declare_pull_away() -> float:
    """Declare the weight of the pull-away term."""
    weight: float = setting(
        0.0,
        "How strongly x-features are pushed to fire on different photos; 0 as in the paper of "
        "2017.",
        label="Pull-away",
        low=0,
        high=1e6,
        is_rare=True,
    )
    return weight


@dataclass(frozen=True)
class SraeSettings(ModuleSettings):
    """Eq. (1) of Qi & Li (2017), with an optional pull-away term.

    Attributes
    ----------
    beta : float
        Weight of the sparse reconstruction term.
    q : float
        Sparsity of the log penalty. The paper prints neither β nor q; q = 100 follows public code
        derived from the authors'.
    pull_away : float
        Weight of the pull-away term; 0 is the paper.
    """

    method: ClassVar[str] = "srae"

    beta: float = declare_beta()
    q: float = setting(
        100.0,
        "How soon a dimension of Z is given up. The higher, the more the module rebuilds a few "
        "dimensions well instead of all of them badly.",
        label="q",
        above=0,
        high=1e9,
    )
    pull_away: float = declare_pull_away()

    @property
    def rebuilds_z(self) -> bool:
        """Whether reconstruction has any weight."""
        return self.beta > 0

    def compute_terms(
        self,
        module: "ExplanationModule",
        z: "Tensor",
        y_hat: "Tensor",
        shares: "Tensor | None" = None,
    ) -> "dict[str, Tensor]":
        """Compute (ȳ − ŷ)², β times the log penalty, and the pull-away term; see the base."""
        x_features, y_bar, rebuilt = module(z)
        penalty = compute_sparse_reconstruction(rebuilt, z, self.q, shares)
        terms = {
            "faithfulness": compute_misfit(y_bar, y_hat, shares),
            "reconstruction": self.beta * penalty,
        }
        if self.pull_away:
            terms["pull_away"] = self.pull_away * compute_pull_away(x_features, shares)
        return terms


METHOD = TrainedMethod(
    name="srae",
    title="SRAE",
    colour="#0072b2",
    summary="The paper's method: rebuilds the score, and what matters of Z.",
    paper=PaperFigures(0.0831, 0.1539, 1.9694),
    settings=SraeSettings(),
)
