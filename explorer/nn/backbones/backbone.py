"""The classifiers that are explained, behind one interface: photo to Z, Z to logits."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from explorer.config import ExplorerError
from explorer.nn.backbones.vgg import Architecture, get_linear

Z_LAYERS = ("fc6", "fc7")


def check_z_layer(name: str) -> None:
    """Raise `ExplorerError` where `name` is not a layer that can be Z."""
    if name not in Z_LAYERS:
        raise ExplorerError(f"Unknown layer {name!r}. Choose one of: {', '.join(Z_LAYERS)}.")


def compute_sha256(weights: Mapping[str, Tensor]) -> str:
    """Hash names, shapes and float32 values, whatever file format or precision holds them."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        tensor = weights[name].detach().to("cpu", torch.float32).contiguous()
        digest.update(f"{name}{tuple(tensor.shape)}".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


@dataclass(frozen=True, eq=False)
class Backbone:
    """A trained classifier, read-only: photo to Z, Z to logits.

    Attributes
    ----------
    architecture : Architecture
        Input size and normalisation.
    layers : nn.Sequential
        From pixels (B, 3, H, W) to logits (B, C), in order, batch norm folded, evaluation mode.
    categories : tuple of str
        Name of every logit, in order.
    z_layer : {"fc6", "fc7"}
        Which fully-connected layer is Z, taken after its ReLU.
    """

    architecture: Architecture
    layers: nn.Sequential
    categories: tuple[str, ...]
    z_layer: str = "fc6"

    def __post_init__(self) -> None:
        check_z_layer(self.z_layer)
        count = get_linear(self.layers, self._linear_positions[-1]).out_features
        wanted = len(self.categories)
        if count != wanted:
            raise ExplorerError(
                f"The network has {count} outputs, but there are {wanted} categories. To give it "
                "others, make the workspace without --weights and name the file with `finetune "
                "--initial`."
            )

    @property
    def _linear_positions(self) -> list[int]:
        return [i for i, layer in enumerate(self.layers) if isinstance(layer, nn.Linear)]

    @property
    def z_stop(self) -> int:
        """Index of the first layer above Z."""
        return self._linear_positions[Z_LAYERS.index(self.z_layer)] + 2

    @property
    def z_size(self) -> int:
        """Number of dimensions of Z."""
        return get_linear(self.layers, self.z_stop - 2).out_features

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

        ``relu1`` is the output of the first ReLU, at full input resolution: excitation backprop
        assumes non-negative activations, which normalised pixels are not.
        """
        stops = {"relu1": 2}
        pools = [i for i, layer in enumerate(self.layers) if isinstance(layer, nn.MaxPool2d)]
        stops |= {f"pool{n}": position + 1 for n, position in enumerate(pools, start=1)}
        return stops

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
        z = self.layers[: self.z_stop](images)
        return z, self.compute_logits(z)

    @torch.inference_mode()
    def compute_logits(self, z: Tensor) -> Tensor:
        """Compute the scores before softmax, (B, C), signed, from Z, (B, S_z)."""
        logits: Tensor = self.layers[self.z_stop :](z)
        return logits
