"""What training begins with: random weights, ImageNet's, or those of a file."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from explorer.nn.backbones.backbone import Backbone
from explorer.nn.backbones.build import (
    build_network,
    build_network_from_weights,
    find_head,
    flatten_network,
    replace_head,
)
from explorer.nn.backbones.imagenet import load_imagenet_weights
from explorer.nn.backbones.registry import get_architecture, get_family
from explorer.nn.foreign import load_foreign_weights
from explorer.training.classifier.settings import IMAGENET, SCRATCH, FinetuneSettings


@dataclass(frozen=True, eq=False)
class Start:
    """A network to begin with.

    Attributes
    ----------
    network : nn.Module
        On the CPU, in training form.
    has_fresh_head : bool
        Whether its last layer is random, as one is that did not have the wanted size.
    """

    network: nn.Module
    has_fresh_head: bool


def build_start(settings: FinetuneSettings, category_count: int) -> Start:
    """Build the network to start from; a head of another size is replaced by a fresh one.

    Raises
    ------
    ExplorerError
        When its weights are not there or do not fit the architecture.
    """
    if settings.start == SCRATCH:
        with fork_random_state(torch.device("cpu"), settings.seed):
            network = build_network(settings.architecture, category_count, batch_norm=True)
        return Start(network, has_fresh_head=True)
    if settings.start == IMAGENET:
        weights = load_imagenet_weights(settings.architecture)
    else:
        weights = load_foreign_weights(Path(settings.start))
    network = build_network_from_weights(settings.architecture, weights)
    if find_head(network).layer.out_features == category_count:
        return Start(network, has_fresh_head=False)
    with fork_random_state(torch.device("cpu"), settings.seed):
        replace_head(network, category_count)
    return Start(network, has_fresh_head=True)


def build_random_backbone(architecture: str, categories: tuple[str, ...], seed: int) -> Backbone:
    """Build a classifier with random weights, as training from scratch begins with one."""
    settings = FinetuneSettings(architecture, initial=SCRATCH, seed=seed)
    layers = flatten_network(build_start(settings, len(categories)).network)
    z_layer = get_family(architecture).z_layer
    return Backbone(get_architecture(architecture), layers, categories, z_layer)


@contextlib.contextmanager
def fork_random_state(device: torch.device, seed: int) -> Iterator[None]:
    """Set the global random state for a moment: layers have no generator of their own."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
