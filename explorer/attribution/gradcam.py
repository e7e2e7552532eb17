"""Grad-CAM of a classifier's score, as a yardstick for x-features.

Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
Localization", ICCV 2017.
"""

import torch
from torch import Tensor

from explorer.nn.backbones.backbone import Backbone


def compute_grad_cam(backbone: Backbone, images: Tensor, category: str) -> Tensor:
    """Compute the Grad-CAM map of a category's logit at the last convolution's output.

    Parameters
    ----------
    backbone : Backbone
        The classifier; neither its weights nor their gradients are touched.
    images : Tensor
        (B, 3, H, W), normalised, on the classifier's device.
    category : str
        A name in ``backbone.categories``.

    Returns
    -------
    Tensor
        (B, 1, h, w), >= 0: ReLU of the sum over channels of the activations after the last ReLU
        before the last pooling, each weighted by the mean of its gradient (eqs. 1 and 2).
    """
    layers = list(backbone.layers)
    pools = [i for i, layer in enumerate(layers) if isinstance(layer, torch.nn.MaxPool2d)]
    index = backbone.categories.index(category)
    with torch.no_grad():
        activations = torch.nn.Sequential(*layers[: pools[-1]])(images)
    with torch.enable_grad():
        activations = activations.clone().requires_grad_()
        logits = torch.nn.Sequential(*layers[pools[-1] :])(activations)
        (gradient,) = torch.autograd.grad(logits[:, index].sum(), activations)
    weights = gradient.mean(dim=(2, 3), keepdim=True)
    heat: Tensor = (weights * activations.detach()).sum(dim=1, keepdim=True).clamp(min=0)
    return heat
