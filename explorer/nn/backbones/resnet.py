"""The ResNets of torchvision: He et al., "Deep Residual Learning", CVPR 2016, arXiv 1512.03385."""

import torch
from torch import nn

from explorer.nn.backbones.architecture import Architecture, Family, build_torchvision_network

_DEPTHS = (50, 18, 34, 101, 152)


def _build(name: str, category_count: int, batch_norm: bool) -> nn.Module:
    if batch_norm:
        return build_torchvision_network(name, category_count)
    network = build_torchvision_network(name, category_count, norm_layer=nn.Identity)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):  # folding batch norm gives it a bias
            layer.bias = nn.Parameter(torch.zeros(layer.out_channels))
    return network


FAMILY = Family(
    tuple(Architecture(f"resnet{depth}", (224, 224)) for depth in _DEPTHS), _build, "avgpool"
)
