"""Stages of fine-tuning: which layers are trained, from the top of the network down.

Early stages train only the layers above a chosen one. The layers below it do not change, so their
output is computed once (see `explorer.training.classifier.frozen`), which makes fine-tuning a large
network on a processor possible. The last stage trains all layers, at a lower learning rate: at the
rate that suits new layers, the layers far below forget what they have learnt, and the loss rises.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import nn

from explorer.config import ExplorerError
from explorer.nn.backbones.layer_names import count_spatial_layers, name_layers
from explorer.training.classifier.settings import MAX_RATE, SCRATCH, FinetuneSettings

ALL = "all"
_EPOCHS_ABOVE_LAST_BLOCK, _EPOCHS_ABOVE_BLOCK_BEFORE = 12, 8
_RATE_OF_LAST_STAGE = 0.3  # of the settings' learning rate
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
    rate : float
        Peak of the learning rate of all layers except for the last.
    """

    layer: str
    frozen: int
    epochs: int
    rate: float

    def __str__(self) -> str:
        return "all layers" if self.layer == ALL else f"layers above {self.layer}"


def choose_stages(
    settings: FinetuneSettings, layers: Sequence[nn.Module], device: torch.device
) -> tuple[Stage, ...]:
    """Return the stages of a run: those in the settings, or a choice that suits the device.

    A CUDA device trains all layers from the start, and so does any device that starts from random
    weights. Otherwise, the layers above the last block of convolutions come first, then those above
    the block before it, then all at a lower learning rate.

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
    rate = settings.peak_rate
    if settings.stages:
        return _parse_stages(settings.stages, layers, rate)
    blocks = _find_blocks(layers)
    if device.type == "cuda" or settings.start == SCRATCH or len(blocks) < 2:
        return (Stage(ALL, 0, settings.epochs, rate),)
    (before, below), (last, above) = list(blocks.items())[-2:]
    return (
        Stage(last, above, _EPOCHS_ABOVE_LAST_BLOCK, rate),
        Stage(before, below, _EPOCHS_ABOVE_BLOCK_BEFORE, rate),
        Stage(ALL, 0, settings.epochs, _RATE_OF_LAST_STAGE * rate),
    )


def _find_blocks(layers: Sequence[nn.Module]) -> dict[str, int]:
    """Return the layers that stages may start above, with the number of layers up to each."""
    spatial = count_spatial_layers(layers)
    return {
        name: count
        for name, count in name_layers(layers).items()
        if _BLOCK.fullmatch(name) and count <= spatial
    }


def _parse_stages(text: str, layers: Sequence[nn.Module], rate: float) -> tuple[Stage, ...]:
    """Parse stages such as ``pool5=12,pool4=8,all=20@3e-5``, some of them with their own rate."""
    blocks = _find_blocks(layers) | {ALL: 0}
    stages = []
    for part in text.split(","):
        name, _, numbers = (piece.strip() for piece in part.partition("="))
        if name not in blocks:
            raise ExplorerError(
                f"There is no stage {name!r} of this network. Choose among: {', '.join(blocks)}."
            )
        epochs, at, own = (piece.strip() for piece in numbers.partition("@"))
        if not epochs.isdecimal() or not 0 < int(epochs[:9]) <= _MAX_EPOCHS:
            raise ExplorerError(
                f"The stage {part.strip()!r} needs a number of epochs, such as {name}=10."
            )
        own_rate = _parse_rate(part.strip(), own) if at else rate
        stages.append(Stage(name, blocks[name], int(epochs), own_rate))
    if any(first.frozen <= second.frozen for first, second in pairwise(stages)):
        raise ExplorerError(
            f"The stages {text!r} must go down the network: {', '.join(reversed(list(blocks)))}."
        )
    return tuple(stages)


def _parse_rate(stage: str, text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = math.nan
    if not 0 < rate <= MAX_RATE:
        raise ExplorerError(
            f"The stage {stage!r} needs a learning rate above 0 and up to {MAX_RATE} after the @, "
            "such as @3e-5."
        )
    return rate
