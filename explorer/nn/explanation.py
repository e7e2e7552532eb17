"""The explanation of a photo by a module as arrays; without torch, which pages do not need."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explorer.analysis.faithfulness import compute_base

DEFAULT_STOP = "relu1"


@dataclass(frozen=True, eq=False)
class Explanation:
    """The explanation of a photo by a module.

    Attributes
    ----------
    logits : NDArray of float32
        (C,), signed: the classifier's scores before softmax.
    y_hat, y_bar : float
        Scores of the module's category from the classifier and the module.
    x_features : NDArray of float32
        (K,), E(Z), >= 0.
    contributions : NDArray of float32
        (K,), vₙEₙ, signed; with the base of the module, they add up to `y_bar`.
    maps : NDArray of float32
        (K, h, w), c-MWP of each x-feature, >= 0, not normalised, at the resolution of `stop`.
    stop : str
        Layer at whose output the maps were taken; see `Backbone.stops`.
    """

    logits: NDArray[np.float32]
    y_hat: float
    y_bar: float
    x_features: NDArray[np.float32]
    contributions: NDArray[np.float32]
    maps: NDArray[np.float32]
    stop: str

    @property
    def base(self) -> float:
        """The module's score without any x-feature; 0 for the paper's modules."""
        return compute_base(self.y_bar, self.contributions)
