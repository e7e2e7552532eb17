"""Times c-MWP: five maps of one photo through VGG19 and an encoder, against TorchRay.

Both sides run in turn, in this process, on the same photo and weights; see docs/performance.md.
TorchRay comes with ``pip install -r benchmarks/requirements.txt``.
"""

import argparse
import copy
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable
from importlib.metadata import version

import numpy as np
import torch
from torch import Tensor, nn
from torchray.attribution.excitation_backprop import contrastive_excitation_backprop

from explorer.attribution import contrastive_mwp
from explorer.attribution.engine import Engine
from explorer.attribution.steps import UnpoolPairs
from explorer.attribution.trace import Trace, begin, read_layers
from explorer.data.painted.bird import BirdSettings, paint_bird
from explorer.nn.backbones import Backbone
from explorer.nn.vgg import build_network, flatten_network, get_architecture

STOP = "relu1"
WIDTHS = (4096, 800, 100, 5)


def build_encoder(seed: int) -> list[nn.Module]:
    """Stack 4096-800-100-5, up to the last Linear, as the paper's code has it; random weights."""
    torch.manual_seed(seed)
    layers: list[nn.Module] = []
    for inputs, outputs in zip(WIDTHS, WIDTHS[1:], strict=False):
        layers += [nn.Linear(inputs, outputs).requires_grad_(False), nn.ReLU()]
    return layers[:-1]
