"""Names of the places in a network at which a map can be taken, or that can be Z."""

from collections.abc import Mapping, Sequence

from torch import nn

from explorer.nn.backbones.residual import Residual

MEAN = "-mean"
"""Put behind the name of a layer with height and width, of which Z is to be the averages."""

_FIRST_FC = 6  # as in the papers on AlexNet and VGG, whose five blocks of convolutions come before


def name_places(layers: Sequence[nn.Module]) -> Mapping[str, int]:
    """Name the outputs of layers that cannot be negative, from the pixels up.

    Returns
    -------
    Mapping of str to int
        How many layers lie below each place: ``relu1`` after the first ReLU, ``pool1``, ``pool2``,
        … after each max pooling, ``layer1`` to ``layer4`` after the stages of a ResNet,
        ``avgpool`` after pooling over all positions, ``fc6``, ``fc7``, … after the ReLU of each
        fully-connected layer.
    """
    places: dict[str, int] = {}
    pools = stages = connected = 0
    last_map = find_last_map(layers)
    for index, layer in enumerate(layers):
        above = layers[index + 1] if index + 1 < len(layers) else None
        if isinstance(layer, nn.ReLU) and index < last_map:
            places.setdefault("relu1", index + 1)
        elif isinstance(layer, nn.MaxPool2d):
            pools += 1
            places[f"pool{pools}"] = index + 1
        elif isinstance(layer, Residual) and isinstance(above, nn.ReLU):
            stages += stages == 0 or _shrinks(layer)
            places[f"layer{stages}"] = index + 2
        elif isinstance(layer, nn.AdaptiveAvgPool2d) and isinstance(above, nn.Flatten):
            if layer.output_size in {1, (1, 1)}:
                places["avgpool"] = index + 2
        elif isinstance(layer, nn.Linear) and isinstance(above, nn.ReLU):
            places[f"fc{_FIRST_FC + connected}"] = index + 2
            connected += 1
    return dict(sorted(places.items(), key=lambda place: place[1]))


def list_z_layers(layers: Sequence[nn.Module]) -> tuple[str, ...]:
    """List what can be Z, from the pixels up: a layer flattened, or averaged over positions."""
    last_map = find_last_map(layers)
    names: list[str] = []
    for name, place in name_places(layers).items():
        names += [name, name + MEAN] if place <= last_map else [name]
    return tuple(names)


def find_last_map(layers: Sequence[nn.Module]) -> int:
    """Return how many layers lie below the first that does away with height and width."""
    kinds = (nn.Flatten, nn.Linear)
    return next((i for i, layer in enumerate(layers) if isinstance(layer, kinds)), len(layers))


def _shrinks(block: Residual) -> bool:
    """Say whether a block halves the map, as the first of every further stage does."""
    return any(isinstance(layer, nn.Conv2d) and max(layer.stride) > 1 for layer in block.modules())
