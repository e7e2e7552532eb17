"""Grad-CAM of a classifier's score, for comparison with x-features.

Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
Localization", ICCV 2017.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from explorer.nn.arithmetic import fixed_arithmetic
from explorer.nn.backbones.backbone import Backbone


@torch.inference_mode(False)
@fixed_arithmetic()
def compute_grad_cam(backbone: Backbone, images: Tensor, category: str) -> Tensor:
    """Compute the Grad-CAM map of a category's logit at the last convolution's output.

    Parameters
    ----------
    backbone : Backbone
        The classifier. Neither its weights nor their gradients are changed.
    images : Tensor
        (B, 3, H, W), normalised, on the classifier's device.
    category : str
        A name in ``backbone.categories``.

    Returns
    -------
    Tensor
        (B, 1, h, w), >= 0: ReLU of the sum over channels of the last convolution's activations,
        after its ReLU, each weighted by the mean of its gradient (eqs. 1 and 2).
    """
    last = backbone.last_convolution
    index = backbone.categories.index(category)
    with torch.no_grad():
        activations = backbone.layers[:last](images)
    with torch.enable_grad():
        activations = activations.clone().requires_grad_()
        logits = backbone.layers[last:](activations)
        (gradient,) = torch.autograd.grad(logits[:, index].sum(), activations)
    weights = gradient.mean(dim=(2, 3), keepdim=True)
    heat: Tensor = (weights * activations.detach()).sum(dim=1, keepdim=True).clamp(min=0)
    return heat


def draw_grad_cam(
    backbone: Backbone, pixels: NDArray[np.float32], category: str
) -> NDArray[np.float32]:
    """Draw Grad-CAM of a category's logit on one photo; see `compute_grad_cam`.

    Parameters
    ----------
    backbone : Backbone
        The classifier.
    pixels : NDArray of float32
        (3, H, W), normalised, at the classifier's input size.
    category : str
        A name in ``backbone.categories``.

    Returns
    -------
    NDArray of float32
        (1, h, w), >= 0, at the grid of the last convolution.
    """
    images = torch.from_numpy(pixels)[None].to(backbone.device)
    maps: NDArray[np.float32] = compute_grad_cam(backbone, images, category)[0].cpu().numpy()
    return maps
