"""Initial networks for training: with random weights, ImageNet weights or those of a file."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from explorer.config import ExplorerError
from explorer.nn.backbones.backbone import Backbone
from explorer.nn.backbones.build import (
    add_fresh_layers,
    build_network,
    build_network_from_weights,
    flatten_network,
)
from explorer.nn.backbones.imagenet import load_imagenet_weights
from explorer.nn.backbones.registry import get_architecture, get_family
from explorer.nn.foreign import load_foreign_weights
from explorer.nn.records import CheckpointError
from explorer.training.classifier.settings import IMAGENET, SCRATCH, FinetuneSettings


@dataclass(frozen=True, eq=False)
class Start:
    """An initial network.

    Attributes
    ----------
    network : nn.Module
        On the CPU, with batch norm not folded.
    fresh : tuple of str
        Names of the layers on top of trained ones that are new, with random weights.
    notes : tuple of str
        Sentences on how the weights were found in a user's file.
    """

    network: nn.Module
    fresh: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def build_start(settings: FinetuneSettings, category_count: int) -> Start:
    """Build the initial network; last layers that are missing or of another size are new.

    Raises
    ------
    ExplorerError
        When the weights are missing or do not fit the architecture.
    """
    if settings.start == SCRATCH:
        with fork_random_state(torch.device("cpu"), settings.seed):
            network = build_network(settings.architecture, category_count, batch_norm=True)
        return Start(network)
    if settings.start == IMAGENET:
        return _build_from_weights(
            load_imagenet_weights(settings.architecture), settings, category_count
        )
    path = Path(settings.start)
    found = load_foreign_weights(path, settings.architecture)
    try:
        start = _build_from_weights(found.tensors, settings, category_count)
    except ExplorerError as error:
        raise CheckpointError(f"{path}: {error}") from error
    return replace(start, notes=found.notes)


def _build_from_weights(
    weights: Mapping[str, Tensor], settings: FinetuneSettings, category_count: int
) -> Start:
    with fork_random_state(torch.device("cpu"), settings.seed):
        weights, fresh = add_fresh_layers(settings.architecture, weights, category_count)
    return Start(build_network_from_weights(settings.architecture, weights), fresh)


def build_random_backbone(architecture: str, categories: tuple[str, ...], seed: int) -> Backbone:
    """Build a classifier with random weights, as for training from scratch."""
    settings = FinetuneSettings(architecture, initial=SCRATCH, seed=seed)
    layers = flatten_network(build_start(settings, len(categories)).network)
    z_layer = get_family(architecture).z_layer
    return Backbone(get_architecture(architecture), layers, categories, z_layer)


@contextlib.contextmanager
def fork_random_state(device: torch.device, seed: int) -> Iterator[None]:
    """Seed the global random state within the block, for layers that use no generator."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
