"""Z: single dimensions of the layer, as in the paper's Table 1."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from explorer.config import ExplorerError, Steps
from explorer.methods.base import Array, Case, Method, PaperFigures, Source


@dataclass(frozen=True, kw_only=True)
class ZMethod(Method):
    """Single dimensions of Z, which do not add up to a score.

    Attributes
    ----------
    dimensions : int
        Number of dimensions, drawn at random from those that fire, for each category and seed.
    """

    dimensions: int = 16

    def __post_init__(self) -> None:
        if self.dimensions < 1:
            raise ExplorerError("At least one dimension of Z must be drawn.")

    def prepare(self, case: Case) -> Steps[Source]:
        """Draw the dimensions for a case."""
        yield from ()
        chosen = self.choose(case)

        def draw(pixels: Array, stop: str) -> Array:
            return case.draw_z(pixels, chosen, stop)

        names = tuple(f"Z {dimension}" for dimension in chosen)
        return Source(draw, lambda z, _: np.asarray(z)[:, chosen], None, names=names)

    def choose(self, case: Case) -> list[int]:
        """Draw dimensions, seeded, from those that fire on the training photos."""
        z, _, _ = case.get_training_photos()
        firing = np.flatnonzero(z.max(axis=0) > 0)
        rng = np.random.default_rng((case.seed, case.index))
        count = min(self.dimensions, len(firing))
        return sorted(map(int, rng.choice(firing, size=count, replace=False)))

    def describe(self) -> dict[str, Any]:
        """List the number of dimensions."""
        return {"dimensions": self.dimensions}


METHOD = ZMethod(
    name="z",
    title="Z",
    colour="#8a8f98",
    summary="Single dimensions of the layer that is explained, without a module.",
    paper=PaperFigures(None, None, 1.9623),
)
