"""Shapes of what layers compute, without computing it."""

import copy
import itertools
from collections.abc import Sequence

import torch
from torch import nn


@torch.no_grad()
def list_output_shapes(
    layers: Sequence[nn.Module], shape: tuple[int, ...]
) -> list[tuple[int, ...]]:
    """Return the shape of each layer's output for one photo of `shape` (C, H, W).

    The layers see no photo at all, as a batch of none; they may have weights on the meta device.
    """
    weights = itertools.chain.from_iterable(layer.parameters() for layer in layers)
    x = next(weights, torch.empty(0, dtype=torch.float32)).new_empty(0, *shape)
    shapes: list[tuple[int, ...]] = []
    for layer in layers:
        # Others may be using the layer, so its mode is not changed.
        x = (copy.deepcopy(layer).eval() if layer.training else layer)(x)
        shapes.append(tuple(x.shape[1:]))
    return shapes
