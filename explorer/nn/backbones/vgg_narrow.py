"""VGG16 with fewer units in its fully-connected layers, which hold most of VGG16's weights."""

from torch import nn

from explorer.nn.backbones.architecture import Architecture, Family, build_torchvision_network

_POOL5_SIZE = 512 * 7 * 7
_WIDTH = 512  # VGG16 has 4,096
_DROPOUT = 0.2  # VGG16's 0.5 leaves too few of these units


def _build(name: str, category_count: int, batch_norm: bool) -> nn.Module:  # noqa: ARG001
    network = build_torchvision_network("vgg16", category_count)
    head = nn.Sequential(
        nn.Linear(_POOL5_SIZE, _WIDTH),
        nn.ReLU(),
        nn.Dropout(_DROPOUT),
        nn.Linear(_WIDTH, _WIDTH),
        nn.ReLU(),
        nn.Dropout(_DROPOUT),
        nn.Linear(_WIDTH, category_count),
    )
    for layer in list(head)[:-1]:
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
    network.classifier = head
    return network


FAMILY = Family((Architecture("vgg16_narrow", (224, 224)),), _build, has_imagenet_weights=False)
