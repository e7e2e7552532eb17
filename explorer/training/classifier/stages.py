"""Stages of fine-tuning: which layers are trained, from the top of the network down.

Early stages train only the layers above a chosen one. The layers below it do not change, so their
output is computed once (see `explorer.training.classifier.frozen`), which makes fine-tuning a large
network on a processor possible. The last stage trains all layers.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import nn

from explorer.config import ExplorerError
from explorer.nn.backbones.layer_names import count_spatial_layers, name_layers
from explorer.training.classifier.settings import SCRATCH, FinetuneSettings

ALL = "all"
_EPOCHS_ABOVE_LAST_BLOCK, _EPOCHS_ABOVE_BLOCK_BEFORE = 12, 8
_BLOCK = re.compile(r"(pool|layer)\d+")
_MAX_EPOCHS = 1_000_000


@dataclass(frozen=True)
class Stage:
    """A part of fine-tuning.

    Attributes
    ----------
    layer : str
        The layers up to this one are frozen; `ALL` if none are.
    frozen : int
        Number of frozen layers.
    epochs : int
        Passes over the training photos.
    """

    layer: str
    frozen: int
    epochs: int

    def __str__(self) -> str:
        return "all layers" if self.layer == ALL else f"layers above {self.layer}"


def choose_stages(
    settings: FinetuneSettings, layers: Sequence[nn.Module], device: torch.device
) -> tuple[Stage, ...]:
    """Return the stages of a run: those in the settings, or a choice that suits the device.

    A CUDA device trains all layers from the start, and so does any device that starts from random
    weights. Otherwise, the layers above the last block of convolutions come first, then those above
    the block before it, then all.

    Parameters
    ----------
    settings : FinetuneSettings
        Settings of the training.
    layers : sequence of nn.Module
        The layers from pixels to logits, in order.
    device : torch.device
        Device to train on.

    Raises
    ------
    ExplorerError
        When the settings name a layer that the network does not have, or the order is wrong.
    """
    if settings.stages:
        return _parse_stages(settings.stages, layers)
    whole = Stage(ALL, 0, settings.epochs)
    blocks = _find_blocks(layers)
    if device.type == "cuda" or settings.start == SCRATCH or len(blocks) < 2:
        return (whole,)
    (before, below), (last, above) = list(blocks.items())[-2:]
    return (
        Stage(last, above, _EPOCHS_ABOVE_LAST_BLOCK),
        Stage(before, below, _EPOCHS_ABOVE_BLOCK_BEFORE),
        whole,
    )


def _find_blocks(layers: Sequence[nn.Module]) -> dict[str, int]:
    """Return the layers that stages may start above, with the number of layers up to each."""
    spatial = count_spatial_layers(layers)
    return {
        name: count
        for name, count in name_layers(layers).items()
        if _BLOCK.fullmatch(name) and count <= spatial
    }


def _parse_stages(text: str, layers: Sequence[nn.Module]) -> tuple[Stage, ...]:
    """Parse stages such as ``pool5=12,pool4=8,all=20``."""
    blocks = _find_blocks(layers) | {ALL: 0}
    stages = []
    for part in text.split(","):
        name, _, number = (piece.strip() for piece in part.partition("="))
        if name not in blocks:
            raise ExplorerError(
                f"There is no stage {name!r} of this network. Choose among: {', '.join(blocks)}."
            )
        if not number.isdecimal() or not 0 < int(number[:9]) <= _MAX_EPOCHS:
            raise ExplorerError(
                f"The stage {part.strip()!r} needs a number of epochs, such as {name}=10."
            )
        stages.append(Stage(name, blocks[name], int(number)))
    if any(first.frozen <= second.frozen for first, second in pairwise(stages)):
        raise ExplorerError(
            f"The stages {text!r} must go down the network: {', '.join(reversed(list(blocks)))}."
        )
    return tuple(stages)
