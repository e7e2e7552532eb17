"""SRAE, the paper's method: x-features that rebuild the score and the relevant part of Z."""

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

    from explorer.nn.srae import ExplanationModule, ModuleOutputs


def declare_beta() -> float:
    """Declare β, the weight of reconstruction against faithfulness."""
    weight: float = setting(
        1.0,
        "How much rebuilding Z counts against rebuilding the score. With 0, x-features need not "
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
        "How strongly x-features are pushed to fire on different photos; 0 in the paper.",
        label="Pull-away",
        low=0,
        high=1e6,
        is_advanced=True,
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
        Sparsity of the log penalty. The paper states neither β nor q; q = 100 follows public code
        derived from the authors' code.
    pull_away : float
        Weight of the pull-away term; 0 in the paper.
    """

    method: ClassVar[str] = "srae"

    beta: float = declare_beta()
    q: float = setting(
        100.0,
        "How soon a dimension of Z is given up. With a higher value, the module rebuilds fewer "
        "dimensions of Z, but those better.",
        label="q",
        above=0,
        high=1e9,
    )
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
        """Compute (ȳ − ŷ)², β times the log penalty, and the pull-away term; see the base class."""
        return self.compute_terms_of(module(z), z, y_hat, shares)

    def compute_terms_of(
        self,
        outputs: "ModuleOutputs",
        z: "Tensor",
        y_hat: "Tensor",
        shares: "Tensor | None",
    ) -> "dict[str, Tensor]":
        """Compute the terms from a module's outputs."""
        x_features, y_bar, rebuilt = outputs
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
    summary="The paper's method: rebuilds the score and the relevant dimensions of Z.",
    paper=PaperFigures(0.0831, 0.1539, 1.9694),
    settings=SraeSettings(),
)
