"""Shapes of what layers compute, without computing it."""

from collections.abc import Sequence

import torch
from torch import nn


def list_output_shapes(
    layers: Sequence[nn.Module], shape: tuple[int, ...]
) -> list[tuple[int, ...]]:
    """Return the shape of each layer's output for one photo of `shape` (C, H, W)."""
    nn.Sequential(*layers).eval()  # batch norm could not be trained on a single photo
    x = torch.empty(1, *shape, dtype=torch.float32, device="meta")
    shapes: list[tuple[int, ...]] = []
    for layer in layers:
        state = {name: tensor.to("meta") for name, tensor in layer.state_dict().items()}
        x = torch.func.functional_call(layer, state, x)
        shapes.append(tuple(x.shape[1:]))
    return shapes
