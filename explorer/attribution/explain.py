"""The explanation of one photo: x-features, contributions, scores and c-MWP maps as arrays."""

import numpy as np
import torch
from numpy.typing import NDArray

from explorer.attribution.engine import Engine
from explorer.nn.arithmetic import fixed_arithmetic
from explorer.nn.explanation import DEFAULT_STOP, Explanation
from explorer.nn.srae import ExplanationModule


@torch.inference_mode()
@fixed_arithmetic()
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
        Of the classifier.
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
    z, logits = engine.score(pixels, stop)
    outputs = module(torch.from_numpy(z)[None].to(engine.backbone.device))
    maps = engine.draw(pixels, module.get_attribution_layers(), stop)
    contributions = outputs.x_features[0] * module.v.weight[0]
    return Explanation(
        logits=logits,
        y_hat=float(logits[engine.backbone.categories.index(category)]),
        y_bar=float(outputs.y_bar[0]),
        x_features=outputs.x_features[0].cpu().numpy(),
        contributions=contributions.cpu().numpy(),
        maps=maps,
        stop=stop,
    )
