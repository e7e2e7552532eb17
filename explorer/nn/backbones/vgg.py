"""The VGGs and a small one: what is fixed of them, and how they are built and flattened."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from explorer.config import ExplorerError
from explorer.nn.torchvision_guard import import_torchvision

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
VGG_SMALL = "vgg_small"
_VGG_SMALL_WIDTHS = (32, "P", 64, "P", 128, 128, "P", 256, 256, "P")
_BATCH_NORM_SUFFIX = "_bn"


@dataclass(frozen=True)
class Architecture:
    """What is fixed before any weight is known.

    Attributes
    ----------
    name : str
        Name on the command line.
    input_size : tuple of int
        (height, width) to which the whole photo is squashed, in pixels.
    mean, std : tuple of float
        Per RGB channel, for pixels in [0, 1].
    """

    name: str
    input_size: tuple[int, int]
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD


ARCHITECTURES: Mapping[str, Architecture] = {
    architecture.name: architecture
    for architecture in (
        *(Architecture(f"vgg{depth}", (224, 224)) for depth in (19, 16, 13, 11)),
        *(Architecture(f"vgg{depth}_bn", (224, 224)) for depth in (19, 16, 13, 11)),
        Architecture(VGG_SMALL, (128, 128)),
    )
}
"""All that are known. Those of torchvision bear its names; ``_bn`` trains with batch norm, which is
folded into the convolutions once training is over."""


def get_architecture(name: str) -> Architecture:
    """Return the architecture called `name`.

    Raises
    ------
    ExplorerError
        When there is none.
    """
    if name not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise ExplorerError(f"Unknown architecture {name!r}. Choose one of: {known}.")
    return ARCHITECTURES[name]


class Vgg(nn.Module):
    """A VGG in training form, with the parameter names of torchvision's.

    Attributes
    ----------
    features : nn.Sequential
        Convolutions, batch norms, ReLUs and pools.
    avgpool : nn.Module
        Pooling to a fixed grid.
    classifier : nn.Sequential
        The fully-connected layers.
    """

    def __init__(
        self, features: nn.Sequential, avgpool: nn.Module, classifier: nn.Sequential
    ) -> None:
        super().__init__()
        self.features = features
        self.avgpool = avgpool
        self.classifier = classifier

    def forward(self, images: Tensor) -> Tensor:
        """Map normalised images (B, 3, H, W) to logits (B, C)."""
        logits: Tensor = self.classifier(self.avgpool(self.features(images)).flatten(1))
        return logits

    def replace_head(self, category_count: int) -> None:
        """Put a fresh last layer with `category_count` outputs in place of the old one."""
        self.classifier[-1] = nn.Linear(get_linear(self.classifier, -1).in_features, category_count)


def get_linear(layers: nn.Sequential, index: int) -> nn.Linear:
    """Return the fully-connected layer at `index`.

    Raises
    ------
    TypeError
        When the layer there is of another kind.
    """
    layer = layers[index]
    if not isinstance(layer, nn.Linear):
        raise TypeError(f"Layer {index} is a {type(layer).__name__}, not a Linear.")
    return layer


def build_network(architecture: str, category_count: int, *, batch_norm: bool) -> Vgg:
    """Build an untrained network; torchvision's own for its architectures.

    Parameters
    ----------
    architecture : str
        A name in `ARCHITECTURES`.
    category_count : int
        Number of outputs.
    batch_norm : bool
        Whether it has batch norm, whatever its name says: a trained ``_bn`` network has none left.
    """
    if architecture == VGG_SMALL:
        return _build_vgg_small(category_count, batch_norm=batch_norm)
    get_architecture(architecture)
    builder = architecture.removesuffix(_BATCH_NORM_SUFFIX)
    builder += _BATCH_NORM_SUFFIX if batch_norm else ""
    models = import_torchvision().models
    network = models.get_model(builder, weights=None, num_classes=category_count)
    return Vgg(network.features, network.avgpool, network.classifier)


def _build_vgg_small(category_count: int, *, batch_norm: bool) -> Vgg:
    """3x3 convolutions 32-P-64-P-128-128-P-256-256-P, pooling to 4x4, then 4096-512-512-C."""
    layers: list[nn.Module] = []
    channels = 3
    for width in _VGG_SMALL_WIDTHS:
        if isinstance(width, str):
            layers.append(nn.MaxPool2d(2))
            continue
        layers.append(nn.Conv2d(channels, width, 3, padding=1))
        if batch_norm:
            layers.append(nn.BatchNorm2d(width))
        layers.append(nn.ReLU())
        channels = width
    classifier = nn.Sequential(
        nn.Linear(channels * 16, 512),
        nn.ReLU(),
        nn.Dropout(),
        nn.Linear(512, 512),
        nn.ReLU(),
        nn.Dropout(),
        nn.Linear(512, category_count),
    )
    network = Vgg(nn.Sequential(*layers), nn.AdaptiveAvgPool2d(4), classifier)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    nn.init.normal_(get_linear(classifier, -1).weight, std=0.01)
    return network


def build_network_from_weights(architecture: str, weights: Mapping[str, Tensor]) -> Vgg:
    """Build the network that `weights` (named as in torchvision's VGG) belong to.

    Raises
    ------
    ExplorerError
        When a tensor is missing, unknown or of another shape; the message names it, and the
        architecture that the weights do fit where there is one.
    """
    bias = weights.get("classifier.6.bias")
    category_count = 0 if bias is None else bias.numel()
    if not category_count:
        first = f" It begins with {next(iter(weights))!r}." if weights else ""
        raise ExplorerError(
            f"The weights hold no 'classifier.6.bias', so they are not those of a {architecture}: "
            "torchvision's VGGs name their tensors features.N and classifier.0, classifier.3 and "
            f"classifier.6.{first}"
        )
    batch_norm = _has_batch_norm(weights)
    with torch.device("meta"):  # random weights that are replaced at once need not be drawn
        network = build_network(architecture, category_count, batch_norm=batch_norm)
    fault = _find_fault(network.state_dict(), weights)
    if fault:
        raise ExplorerError(
            f"{fault}. Expected was a {architecture} with {category_count} categories, "
            f"{'with' if batch_norm else 'without'} batch norm. {_name_fitting(weights)}"
        )
    network.to_empty(device="cpu").load_state_dict(dict(weights))
    return network


def _has_batch_norm(weights: Mapping[str, Tensor]) -> bool:
    return any(name.endswith("running_mean") for name in weights)


def _find_fault(expected: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> str:
    """Say which tensor keeps `weights` from being those of a network; nothing where all fit."""
    for name, tensor in expected.items():
        if name.endswith("num_batches_tracked"):
            continue
        if name not in weights:
            return f"The weights lack {name!r}"
        if weights[name].shape != tensor.shape:
            return (
                f"{name!r} has shape {tuple(weights[name].shape)} where the network needs "
                f"{tuple(tensor.shape)}"
            )
    unknown = sorted(set(weights) - set(expected))
    if unknown:
        return f"The weights hold {unknown[0]!r}, which the network does not have"
    damaged = next((n for n, tensor in weights.items() if not torch.isfinite(tensor).all()), None)
    return f"{damaged!r} holds NaN or infinite values: the file is damaged" if damaged else ""


def _name_fitting(weights: Mapping[str, Tensor]) -> str:
    """Name the architecture whose convolutions are those of `weights`, for an error's cure."""
    found = _list_convolutions(weights)
    suffix = _BATCH_NORM_SUFFIX if _has_batch_norm(weights) else ""
    for name in ARCHITECTURES:
        if name.endswith(_BATCH_NORM_SUFFIX):
            continue
        with torch.device("meta"):
            network = build_network(name, 2, batch_norm=bool(suffix))
        if _list_convolutions(network.state_dict()) == found:
            named = name if name == VGG_SMALL else name + suffix
            return f"Their convolutions are those of a {named}: check --arch and the file."
    return "Check that --arch names the network of these weights."


def _list_convolutions(weights: Mapping[str, Tensor]) -> set[tuple[str, torch.Size]]:
    return {(name, tensor.shape) for name, tensor in weights.items() if tensor.ndim == 4}


def flatten_network(network: Vgg) -> nn.Sequential:
    """List the layers from pixels to logits in order, batch norm folded into its convolution.

    Returns
    -------
    nn.Sequential
        In evaluation mode, without gradients. Convolutions, ReLUs and pools, then a Flatten, then
        the fully-connected layers. `network` itself is left as it was.
    """
    network = copy.deepcopy(network).eval()
    folded: list[nn.Module] = []
    for layer in network.features:
        convolution = folded[-1] if folded else None
        if isinstance(layer, nn.BatchNorm2d) and isinstance(convolution, nn.Conv2d):
            folded[-1] = fuse_conv_bn_eval(convolution, layer)
        else:
            folded.append(layer)
    layers = [*folded, network.avgpool, nn.Flatten(), *network.classifier]
    for index, layer in enumerate(layers):
        if isinstance(layer, nn.ReLU):
            layers[index] = nn.ReLU()  # torchvision's work in place, over maps we still need
    return nn.Sequential(*layers).eval().requires_grad_(False)
