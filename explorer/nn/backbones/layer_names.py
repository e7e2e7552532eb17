"""Names of the layers with non-negative output, where a map can be taken or that can be Z."""

from collections.abc import Mapping, Sequence

from torch import nn

from explorer.nn.backbones.residual import Residual

MEAN_SUFFIX = "-mean"
"""Added to the name of a layer with height and width when Z is its average over positions."""

_FIRST_FC = 6  # as in the papers on AlexNet and VGG, which have five blocks of convolutions below


def name_layers(layers: Sequence[nn.Module]) -> Mapping[str, int]:
    """Name the layers whose output is never negative, from the pixels up.

    Returns
    -------
    Mapping of str to int
        How many layers it takes to compute each: ``relu1`` is the first ReLU; ``pool1``, ``pool2``,
        … are max poolings, ``layer1`` to ``layer4`` the stages of a ResNet, ``avgpool`` is pooling
        over all positions, and ``fc6``, ``fc7``, … are the ReLUs of fully-connected layers.
    """
    named: dict[str, int] = {}
    pools = stages = connected = 0
    spatial = count_spatial_layers(layers)
    for index, layer in enumerate(layers):
        above = layers[index + 1] if index + 1 < len(layers) else None
        if isinstance(layer, nn.ReLU) and index < spatial:
            named.setdefault("relu1", index + 1)
        elif isinstance(layer, nn.MaxPool2d):
            pools += 1
            named[f"pool{pools}"] = index + 1
        elif isinstance(layer, Residual) and isinstance(above, nn.ReLU):
            stages += stages == 0 or _shrinks(layer)
            named[f"layer{stages}"] = index + 2
        elif isinstance(layer, nn.AdaptiveAvgPool2d) and isinstance(above, nn.Flatten):
            if layer.output_size in {1, (1, 1)}:
                named["avgpool"] = index + 2
        elif isinstance(layer, nn.Linear) and isinstance(above, nn.ReLU):
            named[f"fc{_FIRST_FC + connected}"] = index + 2
            connected += 1
    return dict(sorted(named.items(), key=lambda item: item[1]))


def list_z_layers(layers: Sequence[nn.Module]) -> tuple[str, ...]:
    """List the choices of Z from the pixels up: a layer, flattened or averaged over positions."""
    spatial = count_spatial_layers(layers)
    names: list[str] = []
    for name, count in name_layers(layers).items():
        names += [name, name + MEAN_SUFFIX] if count <= spatial else [name]
    return tuple(names)


def count_spatial_layers(layers: Sequence[nn.Module]) -> int:
    """Count the layers from the pixels up whose output has height and width."""
    kinds = (nn.Flatten, nn.Linear)
    return next((i for i, layer in enumerate(layers) if isinstance(layer, kinds)), len(layers))


def _shrinks(block: Residual) -> bool:
    """Return whether a block halves the map, as the first of every further stage does."""
    return any(isinstance(layer, nn.Conv2d) and max(layer.stride) > 1 for layer in block.modules())
