"""The classifiers that are explained, behind one interface: photo to Z, photo to logits."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from explorer.config import ExplorerError
from explorer.nn.backbones.architecture import Architecture
from explorer.nn.backbones.build import build_network, flatten_network
from explorer.nn.backbones.places import MEAN, find_last_map, list_z_layers, name_places
from explorer.nn.backbones.registry import get_architecture
from explorer.nn.backbones.residual import Residual

_MOST_Z = 2**17


def compute_sha256(weights: Mapping[str, Tensor]) -> str:
    """Hash names, shapes and float32 values, whatever file format or precision holds them."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        tensor = weights[name].detach().to("cpu", torch.float32).contiguous()
        digest.update(f"{name}{tuple(tensor.shape)}".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


def check_z_layer(architecture: str, name: str) -> None:
    """Raise `ExplorerError` where `name` is not a layer of `architecture` that can be Z."""
    with torch.device("meta"):
        layers = flatten_network(build_network(architecture, 1, batch_norm=False))
    Backbone(get_architecture(architecture), layers, ("any category",), name)


@dataclass(frozen=True, eq=False)
class Backbone:
    """A trained classifier, read-only.

    A photo passes through the `trunk`. What comes out is read as Z by the `readout`, and turned
    into logits by the `top`.

    Attributes
    ----------
    architecture : Architecture
        Input size and normalisation.
    layers : nn.Sequential
        From pixels (B, 3, H, W) to logits (B, C), in order, batch norm folded, evaluation mode.
    categories : tuple of str
        Name of every logit, in order.
    z_layer : str
        Which layer is Z: a name in `z_layers`.

    Raises
    ------
    ExplorerError
        When there is no such layer, its Z is too large, or there are not as many logits as
        categories.
    """

    architecture: Architecture
    layers: nn.Sequential
    categories: tuple[str, ...]
    z_layer: str = "fc6"

    def __post_init__(self) -> None:
        if self.z_layer not in self.z_layers:
            raise ExplorerError(
                f"Unknown layer {self.z_layer!r}. Choose one of: {', '.join(self.z_layers)}."
            )
        count, wanted = self._count_logits(), len(self.categories)
        if count != wanted:
            raise ExplorerError(
                f"The network has {count} outputs, but there are {wanted} categories. To give it "
                "others, make the workspace without --weights and name the file with `finetune "
                "--initial`."
            )
        if self.z_size > _MOST_Z:
            raise ExplorerError(
                f"Layer {self.z_layer} has {self.z_size:,} dimensions, more than the {_MOST_Z:,} "
                f"that a module can read. Choose {self.z_layer}{MEAN}, its averages."
            )

    def _count_logits(self) -> int:
        head = self.layers[-1]
        return head.out_features if isinstance(head, nn.Linear) else 0

    @cached_property
    def places(self) -> Mapping[str, int]:
        """How many layers lie below each place that has a name, from the pixels up."""
        return name_places(list(self.layers))

    @cached_property
    def z_layers(self) -> tuple[str, ...]:
        """Names of what Z can be, such as ``fc6``, ``pool5`` (flattened), ``pool5-mean``."""
        return list_z_layers(list(self.layers))

    @property
    def _z_place(self) -> int:
        return self.places[self.z_layer.removesuffix(MEAN)]

    @property
    def trunk(self) -> nn.Sequential:
        """The layers from the pixels to the one that Z is read from."""
        return nn.Sequential(*list(self.layers)[: self._z_place])

    @property
    def readout(self) -> nn.Sequential:
        """What makes Z, (B, S_z), of what the trunk puts out: nothing where that is Z already."""
        if self._z_place > self._last_map:
            return nn.Sequential()
        if self.z_layer.endswith(MEAN):
            return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        return nn.Sequential(nn.Flatten())

    @property
    def top(self) -> nn.Sequential:
        """The layers from what the trunk puts out to the logits."""
        return nn.Sequential(*list(self.layers)[self._z_place :])

    @cached_property
    def z_size(self) -> int:
        """Number of dimensions of Z."""
        path = nn.Sequential(self.trunk, self.readout)
        shapes = {name: tensor.to("meta") for name, tensor in path.state_dict().items()}
        image = torch.empty(1, 3, *self.architecture.input_size, device="meta")
        z: Tensor = torch.func.functional_call(path, shapes, image)
        return z.shape[1]

    @cached_property
    def sha256(self) -> str:
        """Hash of the weights; see `compute_sha256`."""
        return compute_sha256(self.layers.state_dict())

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.layers.parameters()).device

    @cached_property
    def stops(self) -> Mapping[str, int]:
        """Where a heatmap can be taken: name to index of the layer at whose input it is taken.

        ``relu1`` is the output of the first ReLU: excitation backprop assumes non-negative
        activations, which normalised pixels are not.
        """
        highest = min(self._z_place, self._last_map)
        return {name: place for name, place in self.places.items() if place <= highest}

    @cached_property
    def _last_map(self) -> int:
        return find_last_map(list(self.layers))

    @cached_property
    def last_convolution(self) -> int:
        """How many layers lie below the last convolution's output, its ReLU included."""
        kinds = (nn.Conv2d, Residual)
        last = max(i for i, layer in enumerate(self.layers) if isinstance(layer, kinds))
        return last + 1 + isinstance(self.layers[last + 1], nn.ReLU)

    def get_stop(self, name: str) -> int:
        """Return the layer index of the stop called `name`."""
        if name not in self.stops:
            raise ExplorerError(
                f"Unknown map layer {name!r}. Choose one of: {', '.join(self.stops)}."
            )
        return self.stops[name]

    @torch.inference_mode()
    def compute_features(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Compute Z and the logits of a batch.

        Parameters
        ----------
        images : Tensor
            (B, 3, H, W) float32, normalised; see `explorer.data.transforms.prepare_image`.

        Returns
        -------
        z : Tensor
            (B, S_z) float32, >= 0.
        logits : Tensor
            (B, C) float32, signed: the scores before softmax.
        """
        activations = self.trunk(images)
        return self.readout(activations), self.top(activations)
