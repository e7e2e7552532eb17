"""SRAE whose x-features start as different concepts, and share the score."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from explorer.methods.base import TrainedMethod
from explorer.methods.srae import SraeSettings
from explorer.nn.concept_losses import (
    compute_cancellation,
    compute_disagreement,
    compute_evenness,
    compute_map_disagreement,
)
from explorer.nn.losses import compute_pull_away
from explorer.nn.module_maps import compute_cell_maps, compute_heat_at_z
from explorer.settings.declaring import setting

if TYPE_CHECKING:
    from torch import Tensor

    from explorer.nn.guide import Guide
    from explorer.nn.srae import ExplanationModule


@dataclass(frozen=True)
class SraeConceptsSettings(SraeSettings):
    """Eq. (1) of Qi & Li (2017), with terms that make x-features different concepts.

    The evidence in Z is divided among x-features (see `explorer.training.modules.evidence`), each
    of which starts as a concept that speaks for the category.

    Attributes
    ----------
    has_base : bool
        Always, unlike in the paper: x-features are not negative, but the scores of most photos of
        other categories are, or would be if concepts were taken away. Without a base, one x-feature
        would have to speak against the category on all photos without its concepts.
    positive_share : float
        Least share of photos of the category in each batch.
    evenness : float
        Weight of the sum of squared shares in the score.
    cancellation : float
        Weight of the share of negative contributions on the category's own photos. Without it, two
        x-features can add and take away far more than the score.
    agreement : float
        Weight of one minus the correlation of each x-feature with the signal of its concept.
    map_agreement : float
        Weight of one minus the cosine of the map of each x-feature with where the evidence for its
        concept comes from.
    map_pull_away : float
        Weight of the mean squared cosine between the maps of two x-features on a photo.
    """

    method: ClassVar[str] = "srae-concepts"
    is_guided: ClassVar[bool] = True

    has_base: bool = True
    positive_share: float = setting(
        0.3,
        "Least share of the category's own photos in each batch; 0 for as many as there are.",
        low=0,
        high=0.9,
        is_advanced=True,
    )
    evenness: float = setting(
        2.0, "How strongly x-features are pushed to share the score evenly.", low=0, high=1e6
    )
    cancellation: float = setting(
        1.0,
        "How strongly x-features are kept from taking away what others add to the score of the "
        "category's own photos.",
        low=0,
        high=1e6,
        is_advanced=True,
    )
    agreement: float = setting(
        3.0,
        "How strongly each x-feature is held to the concept that it starts as.",
        low=0,
        high=1e6,
        is_advanced=True,
    )
    map_agreement: float = setting(
        2.0,
        "How strongly each x-feature is pushed to point at where its concept comes from.",
        low=0,
        high=1e6,
        is_advanced=True,
    )
    map_pull_away: float = setting(
        12.0,
        "How strongly x-features are pushed to point at different places of a photo.",
        label="Pull-away of maps",
        low=0,
        high=1e6,
    )

    @property
    def least_positive_share(self) -> float:
        """The setting."""
        return self.positive_share

    def compute_guided_terms(
        self,
        module: "ExplanationModule",
        z: "Tensor",
        y_hat: "Tensor",
        shares: "Tensor | None",
        guide: "Guide | None",
    ) -> "dict[str, Tensor]":
        """Compute the terms of eq. (1), and if there is a guide, those of concepts."""
        outputs = module(z)
        terms = self.compute_terms_of(outputs, z, y_hat, shares)
        if guide is None:
            return terms
        contributions = module.compute_contributions(module.encoder(guide.z))
        terms["evenness"] = self.evenness * compute_evenness(contributions)
        terms["cancellation"] = self.cancellation * compute_cancellation(contributions)
        disagreement = compute_disagreement(outputs.x_features, z @ guide.signals, shares)
        terms["agreement"] = self.agreement * disagreement
        if self.map_agreement or self.map_pull_away:
            maps = compute_cell_maps(compute_heat_at_z(module, guide.z), guide.z_maps)
            terms["map_agreement"] = self.map_agreement * compute_map_disagreement(maps, guide)
            terms["map_pull_away"] = self.map_pull_away * compute_pull_away(maps.mT).mean(dim=-1)
        return terms


METHOD = TrainedMethod(
    name="srae-concepts",
    title="SRAE with concepts",
    colour="#a6611a",
    summary="SRAE whose x-features start as different concepts, and share the score.",
    settings=SraeConceptsSettings(),
)
