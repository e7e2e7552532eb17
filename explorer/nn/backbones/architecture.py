"""Types that describe architectures, and the families that build them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from torch import nn

from explorer.data.transforms import prepare_image
from explorer.nn.torchvision_guard import import_torchvision

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Architecture:
    """A network without its weights: its name, input size and normalisation.

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

    def prepare(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Squash and normalise a photo (H, W, 3); see `explorer.data.transforms.prepare_image`."""
        return prepare_image(image, self.input_size, self.mean, self.std)


@dataclass(frozen=True)
class Family:
    """Architectures that are built by the same function. A new family needs a line in `registry`.

    Attributes
    ----------
    architectures : tuple of Architecture
        All of them.
    build : callable
        Takes a name, the number of categories and whether to use batch norm, and returns an
        untrained network: layers, additions of two branches and ``flatten(x, 1)``; its last Linear
        is the head. Without batch norm, whatever the name says, it is the network that remains
        after batch norm has been folded into the convolutions.
    z_layer : str
        The layer that is explained by default; see `Backbone.z_layers`.
    has_imagenet_weights : bool
        Whether torchvision offers weights for it.
    convolutions_of : Mapping of str to str
        Architectures that start from the ImageNet convolutions of another one of torchvision's,
        and its name.
    """

    architectures: tuple[Architecture, ...]
    build: Callable[[str, int, bool], nn.Module]
    z_layer: str = "fc6"
    has_imagenet_weights: bool = True
    convolutions_of: Mapping[str, str] = field(default_factory=dict)

    def name_pretrained(self, architecture: str) -> str:
        """Return torchvision's network whose ImageNet weights it starts from; empty for none."""
        return (
            architecture
            if self.has_imagenet_weights
            else self.convolutions_of.get(architecture, "")
        )


def build_torchvision_network(name: str, category_count: int, **options: object) -> nn.Module:
    """Build one of torchvision's networks with random weights."""
    network: nn.Module = import_torchvision().models.get_model(
        name, weights=None, num_classes=category_count, **options
    )
    return network
