"""What an architecture is, and what a family of them has to say for itself."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from explorer.nn.torchvision_guard import import_torchvision

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Architecture:
    """What is fixed before any weight is known.

    Attributes
    ----------
    name : str
        Name on the command line.
    input_size : tuple of int
        (height, width) to which the whole photo is squashed, in pixels.
    mean, std : tuple of float
        Per RGB channel, for pixels in [0, 1].
    """

    name: str
    input_size: tuple[int, int]
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD


@dataclass(frozen=True)
class Family:
    """Networks that are built alike. A new family is one file and one line in `registry`.

    Attributes
    ----------
    architectures : tuple of Architecture
        All of them.
    build : callable
        From a name, the number of categories and whether there is batch norm to an untrained
        network. Layers, additions of two ways and ``flatten(x, 1)`` are understood, and the last
        Linear is the head. Without batch norm it is the network that remains once batch norm is
        folded into the convolutions, whatever its name says.
    z_layer : str
        The layer that is explained where none is asked for; see `Backbone.z_layers`.
    has_imagenet_weights : bool
        Whether torchvision offers weights for it.
    """

    architectures: tuple[Architecture, ...]
    build: Callable[[str, int, bool], nn.Module]
    z_layer: str = "fc6"
    has_imagenet_weights: bool = True


def build_torchvision_network(name: str, category_count: int, **options: object) -> nn.Module:
    """Build one of torchvision's networks with random weights."""
    network: nn.Module = import_torchvision().models.get_model(
        name, weights=None, num_classes=category_count, **options
    )
    return network
