"""ExcitationBP: c-MWP of the classifier's own score."""

from dataclasses import dataclass
from typing import ClassVar

from explorer.methods.base import Array, Case, PaperFigures, ScoreMethod


@dataclass(frozen=True, kw_only=True)
class ExcitationBp(ScoreMethod):
    """Zhang et al., "Top-down Neural Attention by Excitation Backprop" (ECCV 2016)."""

    has_stored_maps: ClassVar[bool] = True

    def draw(self, case: Case, pixels: Array, stop: str) -> Array:
        """Draw c-MWP of the category's logit, (1, h, w)."""
        return case.draw_logit(pixels, stop)


METHOD = ExcitationBp(
    name="excitation-bp",
    title="ExcitationBP",
    colour="#b8a800",
    summary="Excitation backprop of the network's own score, without a module.",
    paper=PaperFigures(None, None, 2.4934),
)
