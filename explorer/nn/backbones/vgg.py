"""The VGGs of torchvision: Simonyan & Zisserman, ICLR 2015, arXiv 1409.1556.

``_bn`` trains with batch norm, which is folded into the convolutions after training.
"""

from torch import nn

from explorer.nn.backbones.architecture import Architecture, Family, build_torchvision_network

_DEPTHS = (19, 16, 13, 11)
_BATCH_NORM_SUFFIX = "_bn"


def _build(name: str, category_count: int, batch_norm: bool) -> nn.Module:
    plain = name.removesuffix(_BATCH_NORM_SUFFIX)
    return build_torchvision_network(
        plain + (_BATCH_NORM_SUFFIX if batch_norm else ""), category_count
    )


FAMILY = Family(
    tuple(
        Architecture(f"vgg{depth}{suffix}", (224, 224))
        for suffix in ("", _BATCH_NORM_SUFFIX)
        for depth in _DEPTHS
    ),
    _build,
)
