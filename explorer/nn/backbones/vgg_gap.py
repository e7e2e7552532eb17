"""VGGs without fully-connected layers, which hold nine tenths of VGG16's weights.

Fully-connected layers on top of trained convolutions see every position apart and need far more
photos than there are of each bird. A 1 × 1 convolution and the average over all positions, as in
Zhou et al., "Learning Deep Features for Discriminative Localization", CVPR 2016, arXiv 1512.04150
(with 3 × 3 there), learn from few. Each dimension of Z, the average, is seen at few places.
"""

from dataclasses import replace

from torch import nn

from explorer.nn.backbones.architecture import Architecture, Family, build_torchvision_network
from explorer.nn.backbones.vgg_small import VGG_SMALL, SmallVgg

_VGG16 = Architecture("vgg16_gap", (224, 224))
_SMALL = replace(VGG_SMALL, name="vgg_small_gap")
_DROPOUT = 0.2


def _build(name: str, category_count: int, batch_norm: bool) -> nn.Module:
    if name == _SMALL.name:
        network: nn.Module = SmallVgg(category_count, batch_norm=batch_norm)
        return _replace_top(network, 256, 512, category_count)
    network = build_torchvision_network("vgg16", category_count)
    return _replace_top(network, 512, 1024, category_count)


def _replace_top(network: nn.Module, channels: int, width: int, category_count: int) -> nn.Module:
    """Replace what follows the convolutions, whose last have `channels`; Z has `width`."""
    layer = nn.Conv2d(channels, width, 1)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    nn.init.zeros_(layer.get_parameter("bias"))
    convolutions = network.get_submodule("features").children()
    network.features = nn.Sequential(*convolutions, layer, nn.ReLU())
    network.avgpool = nn.AdaptiveAvgPool2d(1)
    network.classifier = nn.Sequential(nn.Dropout(_DROPOUT), nn.Linear(width, category_count))
    return network


FAMILY = Family(
    (_VGG16, _SMALL),
    _build,
    "avgpool",
    has_imagenet_weights=False,
    convolutions_of={_VGG16.name: "vgg16"},
)
