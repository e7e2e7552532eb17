"""What one module says of one photo, as arrays; kept apart from torch, which pages do not need."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DEFAULT_STOP = "relu1"


@dataclass(frozen=True, eq=False)
class Explanation:
    """What one module says of one photo.

    Attributes
    ----------
    logits : NDArray of float32
        (C,), signed: the classifier's scores before softmax.
    y_hat, y_bar : float
        The classifier's score of the module's category, and the module's.
    x_features : NDArray of float32
        (K,), E(Z), >= 0.
    contributions : NDArray of float32
        (K,), vₙEₙ, signed; they add up to `y_bar`.
    maps : NDArray of float32
        (K, h, w), raw c-MWP of every x-feature, >= 0, at the grid of `stop`.
    stop : str
        Layer at whose output the maps are taken; see `Backbone.stops`.
    """

    logits: NDArray[np.float32]
    y_hat: float
    y_bar: float
    x_features: NDArray[np.float32]
    contributions: NDArray[np.float32]
    maps: NDArray[np.float32]
    stop: str
