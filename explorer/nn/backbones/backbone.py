"""The classifier that is explained: one interface, from images to Z and to logits."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from explorer.config import ExplorerError
from explorer.nn.arithmetic import fixed_arithmetic
from explorer.nn.backbones.architecture import Architecture
from explorer.nn.backbones.build import build_without_weights, flatten_network
from explorer.nn.backbones.layer_names import (
    MEAN_SUFFIX,
    count_spatial_layers,
    list_z_layers,
    name_layers,
)
from explorer.nn.backbones.registry import get_architecture
from explorer.nn.backbones.residual import Residual
from explorer.nn.devices import has_bfloat16
from explorer.nn.fast.forward import FastForward
from explorer.nn.own_weights import check_own_weights
from explorer.nn.shapes import list_output_shapes

_MAX_Z_SIZE = 2**17
_COARSE_CELLS = 12
_QUICK_VALUES = 2**22  # of all layers, for one photo


def compute_sha256(weights: Mapping[str, Tensor]) -> str:
    """Hash names, shapes and values as float32, independent of file format and precision."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        tensor = weights[name].detach().to("cpu", torch.float32).contiguous()
        digest.update(f"{name}{tuple(tensor.shape)}".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


def compute_output_shape(
    layers: Sequence[nn.Module], architecture: Architecture
) -> tuple[int, ...]:
    """Return the shape of the output of the first layers for one photo, without computing it."""
    return list_output_shapes(layers, (3, *architecture.input_size))[-1]


def check_z_layer(architecture: str, name: str) -> None:
    """Raise `ExplorerError` unless `name` is a layer of `architecture` that can be Z."""
    layers = flatten_network(build_without_weights(architecture, 1, batch_norm=False))
    Backbone(get_architecture(architecture), layers, ("any category",), name)


@dataclass(frozen=True, eq=False)
class Backbone:
    """A trained classifier, read-only.

    The `trunk` computes activations from an image. The `readout` turns them into Z, and the `top`
    turns them into logits.

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
        When there is no such layer, when Z would be too large, when the numbers of logits and
        categories differ, or when a hook makes the weight of a layer.
    """

    architecture: Architecture
    layers: nn.Sequential
    categories: tuple[str, ...]
    z_layer: str = "fc6"

    def __post_init__(self) -> None:
        check_own_weights(self.layers)
        if self.z_layer not in self.z_layers:
            raise ExplorerError(
                f"Unknown layer {self.z_layer!r}. Choose one of: {', '.join(self.z_layers)}."
            )
        count, wanted = self._count_logits(), len(self.categories)
        if count != wanted:
            raise ExplorerError(
                f"The network has {count} outputs, but there are {wanted} categories. To train new "
                "outputs, make the workspace without --weights and pass the file to `finetune "
                "--initial`."
            )
        if self.z_size > _MAX_Z_SIZE:
            raise ExplorerError(
                f"Layer {self.z_layer} has {self.z_size:,} dimensions; a module can read at most "
                f"{_MAX_Z_SIZE:,}. Choose {self.z_layer}{MEAN_SUFFIX}, its averages."
            )

    def _count_logits(self) -> int:
        head = self.layers[-1]
        return head.out_features if isinstance(head, nn.Linear) else 0

    @cached_property
    def named_layers(self) -> Mapping[str, int]:
        """How many layers it takes to compute each layer that has a name, from the pixels up."""
        return name_layers(list(self.layers))

    @cached_property
    def z_layers(self) -> tuple[str, ...]:
        """The choices of Z, such as ``fc6``, ``pool5`` (flattened) and ``pool5-mean``."""
        return list_z_layers(list(self.layers))

    @property
    def _trunk_size(self) -> int:
        return self.named_layers[self.z_layer.removesuffix(MEAN_SUFFIX)]

    @property
    def trunk(self) -> nn.Sequential:
        """The layers from the pixels up to the one that Z is read from."""
        return nn.Sequential(*list(self.layers)[: self._trunk_size])

    @property
    def readout(self) -> nn.Sequential:
        """The layers from the output of the trunk to Z, (B, S_z); none if that is Z already."""
        if self._trunk_size > self.spatial_count:
            return nn.Sequential()
        if self.z_layer.endswith(MEAN_SUFFIX):
            return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        return nn.Sequential(nn.Flatten())

    @property
    def top(self) -> nn.Sequential:
        """The layers from the output of the trunk to the logits."""
        return nn.Sequential(*list(self.layers)[self._trunk_size :])

    @cached_property
    def z_size(self) -> int:
        """Number of dimensions of Z."""
        return compute_output_shape([*self.trunk, *self.readout], self.architecture)[0]

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
        """The layers where a heatmap can be taken: name to number of layers below the map.

        ``relu1`` is the output of the first ReLU: excitation backprop assumes non-negative
        activations, which normalised pixels are not.
        """
        highest = min(self._trunk_size, self.spatial_count)
        return {name: count for name, count in self.named_layers.items() if count <= highest}

    @cached_property
    def spatial_count(self) -> int:
        """Number of layers up to the last one whose output has height and width."""
        return count_spatial_layers(list(self.layers))

    @cached_property
    def last_convolution(self) -> int:
        """Number of layers up to the last convolution, its ReLU included."""
        kinds = (nn.Conv2d, Residual)
        last = max(i for i, layer in enumerate(self.layers) if isinstance(layer, kinds))
        return last + 1 + isinstance(self.layers[last + 1], nn.ReLU)

    def get_stop(self, name: str) -> int:
        """Return the number of layers below the stop called `name`."""
        if name not in self.stops:
            raise ExplorerError(
                f"Unknown map layer {name!r}. Choose one of: {', '.join(self.stops)}."
            )
        return self.stops[name]

    def get_grid(self, stop: str) -> tuple[int, int, int]:
        """Return the shape (C, h, w) of the map of one photo at a stop."""
        layers = list(self.layers)[: self.get_stop(stop)]
        channels, height, width = compute_output_shape(layers, self.architecture)
        return channels, height, width

    @cached_property
    def coarse_stop(self) -> str | None:
        """The deepest stop whose map has at least 12 × 12 cells, or None if there is none.

        That is ``pool4`` of VGG16 and ``layer3`` of ResNets, 14 × 14 cells.
        """
        fine = [one for one in self.stops if min(self.get_grid(one)[1:]) >= _COARSE_CELLS]
        return fine[-1] if fine else None

    @cached_property
    def is_quick(self) -> bool:
        """Whether fine maps of a photo take so little time that coarse ones need not come first.

        That is so for networks of painted birds, AlexNet and ResNet18.
        """
        shapes = list_output_shapes(list(self.layers), (3, *self.architecture.input_size))
        return sum(map(math.prod, shapes)) <= _QUICK_VALUES

    @cached_property
    def highest_map(self) -> int:
        """Number of layers up to the last of the trunk whose output has more than one pixel."""
        shapes = list_output_shapes(list(self.trunk), (3, *self.architecture.input_size))
        return max(n for n, shape in enumerate(shapes, start=1) if math.prod(shape[1:]) > 1)

    @torch.inference_mode()
    @fixed_arithmetic()
    def compute_map(self, images: Tensor, stop: str) -> Tensor:
        """Compute the layer called `stop` for a batch (B, 3, H, W): (B, C, h, w) float32, >= 0."""
        return self._run(images, 0, self.get_stop(stop))

    @torch.inference_mode()
    @fixed_arithmetic()
    def compute_highest_map(self, images: Tensor) -> Tensor:
        """Compute the output of `highest_map` layers for a batch: (B, C, h, w) float32, >= 0."""
        return self._run(images, 0, self.highest_map)

    @torch.inference_mode()
    @fixed_arithmetic()
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
        return self._read_out(self._run(images, 0, self._trunk_size))

    @torch.inference_mode()
    @fixed_arithmetic()
    def estimate_features(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Compute Z and the logits as `compute_features` does, but faster and less exactly.

        Convolutions are in bfloat16 on a processor that multiplies in it, except in residual
        networks. They take less than half the time then, and their maps have relative errors of
        about 1e-2.
        """
        if self.device.type != "cpu" or not has_bfloat16() or not self._has_plain_convolutions:
            return self.compute_features(images)
        spatial = min(self.spatial_count, self._trunk_size)
        maps = self._fast_forward.run(images.bfloat16(), 0, spatial).float()
        return self._read_out(self._run(maps, spatial, self._trunk_size))

    def _read_out(self, activations: Tensor) -> tuple[Tensor, Tensor]:
        """Compute Z and the logits from the output of the trunk."""
        logits = self._run(activations, self._trunk_size, len(self.layers))
        return self.readout(activations), logits

    @torch.inference_mode()
    @fixed_arithmetic()
    def compute_pooled(self, images: Tensor) -> Tensor:
        """Compute the mean over positions of the last map of a batch (B, 3, H, W): (B, P) float32.

        That is the output of the last block of convolutions, whichever layer is Z.
        """
        return self._run(images, 0, self.spatial_count).mean(dim=(2, 3))

    def _run(self, inputs: Tensor, first: int, last: int) -> Tensor:
        """Apply the layers from `first` up to before `last`."""
        if inputs.device.type != "cpu":
            outputs: Tensor = self.layers[first:last](inputs)
            return outputs
        return self._fast_forward.run(inputs, first, last)

    @property
    def _has_plain_convolutions(self) -> bool:
        return not any(isinstance(layer, Residual) for layer in self.layers)

    @cached_property
    def _fast_forward(self) -> FastForward:
        return FastForward(list(self.layers), (3, *self.architecture.input_size))
