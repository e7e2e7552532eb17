"""AlexNet in torchvision's version: Krizhevsky, "One weird trick", 2014, arXiv 1404.5997."""

from torch import nn

from explorer.nn.backbones.architecture import Architecture, Family, build_torchvision_network


def _build(name: str, category_count: int, _batch_norm: bool) -> nn.Module:
    return build_torchvision_network(name, category_count)


FAMILY = Family((Architecture("alexnet", (224, 224)),), _build)
