"""Heatmaps of the methods that x-features are compared with."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from explorer.attribution.engine import Engine
from explorer.attribution.gradcam import compute_grad_cam
from explorer.nn.backbones.backbone import Backbone

Draw = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""From the pixels of a photo, (3, H, W), normalised, to maps (K, h, w), >= 0."""


def make_module_draw(engine: Engine, top: Sequence[nn.Module], stop: str) -> Draw:
    """Draw c-MWP of every output of `top`, layers on Z that end in a Linear."""
    return lambda pixels: engine.draw(pixels, top, stop)


def make_z_draw(engine: Engine, dimensions: Sequence[int], stop: str) -> Draw:
    """Draw c-MWP of single dimensions of Z."""
    return lambda pixels: engine.draw(pixels, (), stop, dimensions)


def make_logit_draw(engine: Engine, category: str, stop: str) -> Draw:
    """Draw c-MWP of a category's logit: the paper's ExcitationBP."""
    backbone = engine.backbone
    top = list(backbone.layers)[backbone.z_stop :]
    return lambda pixels: engine.draw(pixels, top, stop, [backbone.categories.index(category)])


def make_grad_cam_draw(backbone: Backbone, category: str) -> Draw:
    """Draw Grad-CAM of a category's logit, at the grid of the last convolution."""

    def draw(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        images = torch.from_numpy(pixels)[None].to(backbone.device)
        maps: NDArray[np.float32] = compute_grad_cam(backbone, images, category)[0].cpu().numpy()
        return maps

    return draw
