"""Z: each dimension of the layer drawn by itself, as in the paper's Table 1."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from explorer.config import ExplorerError, Steps
from explorer.methods.base import Array, Case, Method, PaperFigures, Source


@dataclass(frozen=True, kw_only=True)
class ZMethod(Method):
    """Single dimensions of Z; they do not make up a score.

    Attributes
    ----------
    dimensions : int
        How many, drawn at random from those that fire, for every category and seed.
    """

    dimensions: int = 16

    def __post_init__(self) -> None:
        if self.dimensions < 1:
            raise ExplorerError("At least one dimension of Z must be drawn.")

    def prepare(self, case: Case) -> Steps[Source]:
        """Choose the dimensions of this case."""
        yield from ()
        chosen = self.choose(case)

        def draw(pixels: Array) -> Array:
            return case.draw_z(pixels, chosen)

        return Source(draw, lambda z, _: np.asarray(z)[:, chosen], None)

    def choose(self, case: Case) -> list[int]:
        """Draw dimensions from those that fire on the training photos, seeded."""
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
