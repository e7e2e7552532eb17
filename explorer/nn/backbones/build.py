"""Building, loading and flattening networks of every family."""

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from explorer.config import ExplorerError
from explorer.nn.backbones.registry import ARCHITECTURES, get_family
from explorer.nn.backbones.residual import Residual, list_layers


def build_network(architecture: str, category_count: int, *, batch_norm: bool) -> nn.Module:
    """Build an untrained network in training form; torchvision's own for its architectures.

    Parameters
    ----------
    architecture : str
        A name in `ARCHITECTURES`.
    category_count : int
        Number of outputs.
    batch_norm : bool
        Whether it has batch norm, where its family knows any.
    """
    return get_family(architecture).build(architecture, category_count, batch_norm)


@dataclass(frozen=True, eq=False)
class Head:
    """The last fully-connected layer of a network in training form, and its name there."""

    name: str
    layer: nn.Linear


def find_head(network: nn.Module) -> Head:
    """Return the layer that puts out the logits."""
    linears = [
        Head(n, layer) for n, layer in network.named_modules() if isinstance(layer, nn.Linear)
    ]
    return linears[-1]


def replace_head(network: nn.Module, category_count: int) -> None:
    """Put a fresh last layer with `category_count` outputs in place of the old one."""
    head = find_head(network)
    network.set_submodule(head.name, nn.Linear(head.layer.in_features, category_count))


def build_network_from_weights(architecture: str, weights: Mapping[str, Tensor]) -> nn.Module:
    """Build the network that `weights` (named as in torchvision) belong to.

    Raises
    ------
    ExplorerError
        When a tensor is missing, unknown or of another shape; the message names it, and the
        architecture that the weights do fit where there is one.
    """
    batch_norm = any(name.endswith("running_mean") for name in weights)
    category_count = _count_categories(architecture, weights)
    with torch.device("meta"):  # random weights that are replaced at once need not be drawn
        network = build_network(architecture, category_count, batch_norm=batch_norm)
    fault = _find_fault(network.state_dict(), weights)
    if fault:
        raise ExplorerError(
            f"{fault}. Expected was a {architecture} with {category_count} categories, "
            f"{'with' if batch_norm else 'without'} batch norm. "
            f"{_name_fitting(weights, batch_norm=batch_norm)}"
        )
    network.to_empty(device="cpu").load_state_dict(dict(weights))
    return network


def _count_categories(architecture: str, weights: Mapping[str, Tensor]) -> int:
    with torch.device("meta"):
        network = build_network(architecture, 1, batch_norm=False)
    name = find_head(network).name
    bias = weights.get(f"{name}.bias")
    if bias is None or not bias.numel():
        first = f" It begins with {next(iter(weights))!r}." if weights else ""
        known = ", ".join(f"{n!r}" for n, _ in network.named_parameters() if n.endswith("weight"))
        raise ExplorerError(
            f"The weights hold no '{name}.bias', so they are not those of a {architecture}. "
            f"torchvision names its tensors {_shorten(known)}.{first}"
        )
    return bias.numel()


def _shorten(names: str) -> str:
    listed = names.split(", ")
    return ", ".join((*listed[:2], "…", *listed[-2:])) if len(listed) > 5 else names


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


def _name_fitting(weights: Mapping[str, Tensor], *, batch_norm: bool) -> str:
    """Name the architectures whose convolutions are those of `weights`, for an error's cure."""
    found, fitting = _list_convolutions(weights), []
    for name in ARCHITECTURES:
        with torch.device("meta"):
            network = build_network(name, 2, batch_norm=batch_norm)
        if _list_convolutions(network.state_dict()) == found:
            fitting.append(name)
    if fitting:
        return f"Their convolutions are those of {' or '.join(fitting)}: check --arch and the file."
    return "Check that --arch names the network of these weights."


def _list_convolutions(weights: Mapping[str, Tensor]) -> set[tuple[str, torch.Size]]:
    return {(name, tensor.shape) for name, tensor in weights.items() if tensor.ndim == 4}


def flatten_network(network: nn.Module) -> nn.Sequential:
    """List the layers from pixels to logits in order, batch norm folded into its convolution.

    Returns
    -------
    nn.Sequential
        In evaluation mode, without gradients; see `explorer.nn.backbones.residual.list_layers`.
        `network` itself is left as it was.
    """
    layers = _simplify(list_layers(copy.deepcopy(network)))
    return layers.eval().requires_grad_(False)


def _simplify(layers: Iterable[nn.Module]) -> nn.Sequential:
    """Fold batch norms, and take ReLUs that do not work in place: we still need their input."""
    simple: list[nn.Module] = []
    for layer in layers:
        below = simple[-1] if simple else None
        if isinstance(layer, nn.BatchNorm2d) and isinstance(below, nn.Conv2d):
            simple[-1] = fuse_conv_bn_eval(below, layer)
        elif isinstance(layer, Residual):
            simple.append(Residual([_simplify(way) for way in layer.list_ways()]))
        elif isinstance(layer, nn.ReLU):
            simple.append(nn.ReLU())
        elif not isinstance(layer, nn.Identity):
            simple.append(layer)
    return nn.Sequential(*simple)


def name_tensors(architecture: str, layers: nn.Sequential) -> dict[str, Tensor]:
    """Name the tensors of flattened layers as in the training form without batch norm."""
    with torch.device("meta"):
        network = build_network(architecture, 1, batch_norm=False)
    names = {layer: name for name, layer in network.named_modules()}
    flat = dict(_simplify(list_layers(network)).named_modules())  # the same layers, elsewhere
    named = {}
    for path, tensor in layers.state_dict().items():
        place, _, field = path.rpartition(".")
        named[f"{names[flat[place]]}.{field}"] = tensor
    return named
