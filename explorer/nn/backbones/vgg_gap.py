"""VGG16 without fully-connected layers, which hold nine tenths of its weights.

Fully-connected layers on top of trained convolutions see every position apart and need far more
photos than there are of each bird. A 1 × 1 convolution and the average over all positions, as in
Zhou et al., "Learning Deep Features for Discriminative Localization", CVPR 2016, arXiv 1512.04150
(with 3 × 3 there), learn from few.
"""

from torch import nn

from explorer.nn.backbones.architecture import Architecture, Family, build_torchvision_network

_POOL5_CHANNELS = 512
_WIDTH = 1024
_DROPOUT = 0.2


def _build(name: str, category_count: int, batch_norm: bool) -> nn.Module:  # noqa: ARG001
    network = build_torchvision_network("vgg16", category_count)
    layer = nn.Conv2d(_POOL5_CHANNELS, _WIDTH, 1)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    nn.init.zeros_(layer.get_parameter("bias"))
    convolutions = network.get_submodule("features").children()
    network.features = nn.Sequential(*convolutions, layer, nn.ReLU())
    network.avgpool = nn.AdaptiveAvgPool2d(1)
    network.classifier = nn.Sequential(nn.Dropout(_DROPOUT), nn.Linear(_WIDTH, category_count))
    return network


FAMILY = Family(
    (Architecture("vgg16_gap", (224, 224)),), _build, "avgpool", has_imagenet_weights=False
)
