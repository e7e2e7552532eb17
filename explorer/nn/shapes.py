"""Shapes of what layers compute, without computing it."""

import copy
from collections.abc import Sequence

import torch
from torch import nn


def list_output_shapes(
    layers: Sequence[nn.Module], shape: tuple[int, ...]
) -> list[tuple[int, ...]]:
    """Return the shape of each layer's output for one photo of `shape` (C, H, W)."""
    x = torch.empty(1, *shape, dtype=torch.float32, device="meta")
    shapes: list[tuple[int, ...]] = []
    for layer in layers:
        x = _copy_without_weights(layer)(x)
        shapes.append(tuple(x.shape[1:]))
    return shapes


def _copy_without_weights(layer: nn.Module) -> nn.Module:
    """Copy a layer, which other threads may be using, with weights on the meta device."""
    weights = {id(one): one.to("meta") for one in (*layer.parameters(), *layer.buffers())}
    copied: nn.Module = copy.deepcopy(layer, weights)
    return copied.eval()  # batch norm could not be trained on a single photo
