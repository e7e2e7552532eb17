"""The registry of architectures, by name."""

from collections.abc import Mapping

from explorer.config import ExplorerError
from explorer.nn.backbones import alexnet, resnet, vgg, vgg_gap, vgg_small
from explorer.nn.backbones.architecture import Architecture, Family

FAMILIES: tuple[Family, ...] = (
    vgg.FAMILY,
    vgg_gap.FAMILY,
    resnet.FAMILY,
    alexnet.FAMILY,
    vgg_small.FAMILY,
)
ARCHITECTURES: Mapping[str, Architecture] = {
    architecture.name: architecture for family in FAMILIES for architecture in family.architectures
}
PRETRAINED: tuple[str, ...] = tuple(
    architecture.name
    for family in FAMILIES
    if family.has_imagenet_weights
    for architecture in family.architectures
)
"""Names of the architectures that torchvision has ImageNet weights for."""


def get_architecture(name: str) -> Architecture:
    """Return the architecture called `name`.

    Raises
    ------
    ExplorerError
        When there is no such architecture.
    """
    if name not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise ExplorerError(f"Unknown architecture {name!r}. Choose one of: {known}.")
    return ARCHITECTURES[name]


def get_family(name: str) -> Family:
    """Return the family of the architecture called `name`; see `get_architecture`."""
    architecture = get_architecture(name)
    return next(family for family in FAMILIES if architecture in family.architectures)
