"""One photo explained: x-features, contributions, scores and c-MWP maps as arrays."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from explorer.attribution.engine import Engine
from explorer.nn.srae import ExplanationModule

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


@torch.inference_mode()
def compute_explanation(
    engine: Engine,
    module: ExplanationModule,
    category: str,
    pixels: NDArray[np.float32],
    stop: str = DEFAULT_STOP,
) -> Explanation:
    """Explain the score of `category` on one photo.

    Parameters
    ----------
    engine : Engine
        The classifier, ready to be explained.
    module : ExplanationModule
        The module of `category`, trained on this classifier.
    category : str
        A name in ``backbone.categories``.
    pixels : NDArray of float32
        (3, H, W), normalised, at the classifier's input size.
    stop : str
        Where the maps are taken.

    Notes
    -----
    c-MWP is taken at each x-feature before its ReLU, with the encoder's last layer as the top
    linear layer of Zhang et al. (2016), section 3.3.
    """
    backbone, z = engine.backbone, engine.trace(pixels, stop).output
    logits = backbone.compute_logits(z)
    outputs = module(z)
    maps = engine.draw(pixels, module.get_attribution_layers(), stop)
    contributions = outputs.x_features[0] * module.v.weight[0]
    return Explanation(
        logits=logits[0].cpu().numpy(),
        y_hat=float(logits[0, backbone.categories.index(category)]),
        y_bar=float(outputs.y_bar[0]),
        x_features=outputs.x_features[0].cpu().numpy(),
        contributions=contributions.cpu().numpy(),
        maps=maps,
        stop=stop,
    )
