"""Building networks, loading their weights, and flattening them to a list of layers."""

import copy
import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.overrides import TorchFunctionMode

from explorer.config import ExplorerError
from explorer.nn.backbones.registry import ARCHITECTURES, get_family
from explorer.nn.backbones.residual import Residual, list_layers
from explorer.nn.own_weights import check_own_weights

# As a mode sees them: `kaiming_normal_` is seen by what it calls.
_RANDOM = (nn.init.normal_, nn.init.uniform_, nn.init.kaiming_uniform_, Tensor.normal_)


def build_network(architecture: str, category_count: int, *, batch_norm: bool) -> nn.Module:
    """Build an untrained network in training form: torchvision's own, or `SmallVgg`.

    Parameters
    ----------
    architecture : str
        A name in `ARCHITECTURES`.
    category_count : int
        Number of outputs.
    batch_norm : bool
        Whether it has batch norm. Families without any ignore this.
    """
    return get_family(architecture).build(architecture, category_count, batch_norm).float()


def build_without_weights(architecture: str, category_count: int, *, batch_norm: bool) -> nn.Module:
    """Build a network whose weights have shapes but no memory; see `build_network`."""
    with torch.device("meta"), _KeepUninitialised():
        return build_network(architecture, category_count, batch_norm=batch_norm)


class _KeepUninitialised(TorchFunctionMode):
    """Skips the drawing of random weights: without memory, it imports the compiler, for 0.8 s."""

    def __torch_function__(
        self,
        function: Callable[..., Any],
        _types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Leave a tensor as it is instead of filling it by chance."""
        return None if function in _RANDOM else function(*args, **(kwargs or {}))


@dataclass(frozen=True, eq=False)
class Head:
    """The last fully-connected layer of a network in training form, and its name there."""

    name: str
    layer: nn.Linear


def find_head(network: nn.Module) -> Head:
    """Return the layer whose output is the logits."""
    linears = [
        Head(n, layer) for n, layer in network.named_modules() if isinstance(layer, nn.Linear)
    ]
    return linears[-1]


def build_network_from_weights(architecture: str, weights: Mapping[str, Tensor]) -> nn.Module:
    """Build the network of `weights`, which are named as in torchvision.

    Raises
    ------
    ExplorerError
        When a tensor is missing, unknown or of another shape. The message names it, and an
        architecture that the weights fit, if there is one.
    """
    batch_norm = any(name.endswith("running_mean") for name in weights)
    category_count = _count_categories(architecture, weights)
    network = build_without_weights(architecture, category_count, batch_norm=batch_norm)
    problem = _find_problem(network.state_dict(), weights)
    if problem:
        raise ExplorerError(
            f"{problem}. Expected is a {architecture} with {category_count} categories, "
            f"{'with' if batch_norm else 'without'} batch norm. "
            f"{_suggest_architectures(architecture, weights, batch_norm=batch_norm)}"
        )
    network.to_empty(device="cpu").load_state_dict(dict(weights))
    return network


def add_fresh_layers(
    architecture: str, weights: Mapping[str, Tensor], category_count: int
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Add random weights for the last layers of a network, where `weights` does not have them.

    A head for another number of categories is replaced.

    Returns
    -------
    weights : dict
        Tensors of the whole network; `weights` may still not fit it.
    fresh : tuple of str
        Names of the layers with random weights, from the pixels up.

    Raises
    ------
    ExplorerError
        When a layer is missing below one that is not.
    """
    batch_norm = any(name.endswith("running_mean") for name in weights)
    network = build_network(architecture, category_count, batch_norm=batch_norm)
    head, own = find_head(network), network.state_dict()
    kept = dict(weights)
    if kept.get(f"{head.name}.weight", head.layer.weight).shape[0] != category_count:
        kept = {n: t for n, t in kept.items() if n.rpartition(".")[0] != head.name}
    names = list(dict.fromkeys(name.rpartition(".")[0] for name in own))
    present = {name.rpartition(".")[0] for name in kept}
    fresh = tuple(name for name in names if name not in present)
    missing = next((n for n in fresh if any(m in present for m in names[names.index(n) :])), None)
    if missing is not None:
        raise ExplorerError(
            f"The weights have no layer {missing!r}, but layers above it. Only the last layers of "
            "a network can be missing."
        )
    added = {name: tensor for name, tensor in own.items() if name.rpartition(".")[0] in fresh}
    return added | kept, fresh


def _count_categories(architecture: str, weights: Mapping[str, Tensor]) -> int:
    network = build_without_weights(architecture, 1, batch_norm=False)
    name = find_head(network).name
    weight = weights.get(f"{name}.weight")
    if weight is None or not weight.numel():
        first = f" The first one here is {next(iter(weights))!r}." if weights else ""
        known = ", ".join(f"{n!r}" for n, _ in network.named_parameters() if n.endswith("weight"))
        raise ExplorerError(
            f"The weights have no '{name}.weight', so they are not those of a {architecture}, "
            f"whose tensors are named {_shorten(known)}.{first}"
        )
    return len(weight)


def _shorten(names: str) -> str:
    listed = names.split(", ")
    return ", ".join((*listed[:2], "…", *listed[-2:])) if len(listed) > 5 else names


def _find_problem(expected: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> str:
    """Return what is wrong with `weights` as those of a network, or nothing."""
    for name, tensor in expected.items():
        if name.endswith("num_batches_tracked"):
            continue
        if name not in weights:
            unknown = [other for other in weights if other not in expected]
            near = (*difflib.get_close_matches(name, unknown, 1, 0.0), "")[0]
            return f"The weights have no {name!r}" + (f", but {near[:80]!r}" if near else "")
        if weights[name].shape != tensor.shape:
            return (
                f"{name!r} has shape {tuple(weights[name].shape)}, but the network needs "
                f"{tuple(tensor.shape)}"
            )
    unknown = sorted(set(weights) - set(expected))
    if unknown:
        return f"The weights contain {unknown[0]!r}, which the network does not have"
    for name, tensor in weights.items():
        if not torch.isfinite(tensor).all():
            return f"{name!r} contains NaN or infinite values: the file is damaged"
        if name.endswith("running_var") and (tensor < 0).any():
            return f"{name!r} contains negative variances: the file is damaged"
    return ""


def _suggest_architectures(
    architecture: str, weights: Mapping[str, Tensor], *, batch_norm: bool
) -> str:
    """Return a sentence that names the architectures with the same convolutions as `weights`."""
    found, fitting = _list_convolutions(weights), []
    for name in ARCHITECTURES:
        network = build_without_weights(name, 2, batch_norm=batch_norm)
        if _list_convolutions(network.state_dict()) == found:
            fitting.append(name)
    if architecture in fitting:
        return (
            f"The convolutions fit, the rest does not: the network must be a {architecture} "
            "throughout."
        )
    if fitting:
        return f"Their convolutions are those of {' or '.join(fitting)}: check --arch and the file."
    return "Check that --arch names the network of these weights."


def _list_convolutions(weights: Mapping[str, Tensor]) -> set[tuple[str, torch.Size]]:
    return {(name, tensor.shape) for name, tensor in weights.items() if tensor.ndim == 4}


@torch.inference_mode(False)  # Grad-CAM of these weights needs gradients
def flatten_network(network: nn.Module) -> nn.Sequential:
    """List the layers from pixels to logits, with batch norms folded into convolutions.

    Returns
    -------
    nn.Sequential
        In evaluation mode, without gradients; see `explorer.nn.backbones.residual.list_layers`.
        `network` itself is not changed.

    Raises
    ------
    ExplorerError
        When a hook makes the weight of a layer (see `check_own_weights`), or folding a batch norm
        does not give finite weights.
    """
    check_own_weights(network)
    layers = _simplify(list_layers(copy.deepcopy(network)))
    return layers.eval().requires_grad_(False)


def _simplify(layers: Iterable[nn.Module]) -> nn.Sequential:
    """Fold batch norms, drop identities, and make no ReLU work in place: their input is needed."""
    simple: list[nn.Module] = []
    for layer in layers:
        below = simple[-1] if simple else None
        if isinstance(layer, nn.BatchNorm2d) and isinstance(below, nn.Conv2d):
            simple[-1] = _fold(below, layer)
        elif isinstance(layer, Residual):
            simple.append(Residual([_simplify(branch) for branch in layer.list_branches()]))
        elif isinstance(layer, nn.ReLU):
            simple.append(nn.ReLU())
        elif not isinstance(layer, nn.Identity):
            simple.append(layer)
    return nn.Sequential(*simple)


def _fold(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> nn.Conv2d:
    folded = fuse_conv_bn_eval(convolution, norm)
    # Layers without values are folded to learn their shapes.
    if not all(tensor.is_meta or tensor.isfinite().all() for tensor in folded.parameters()):
        raise ExplorerError(
            f"Folded into {convolution}, its batch norm gives NaN or infinite weights: the file is "
            "damaged."
        )
    return folded


def name_tensors(architecture: str, layers: nn.Sequential) -> dict[str, Tensor]:
    """Name the tensors of flattened layers as in the training form without batch norm."""
    network = build_without_weights(architecture, 1, batch_norm=False)
    names = {layer: name for name, layer in network.named_modules()}
    flat = dict(_simplify(list_layers(network)).named_modules())  # the same objects as in `names`
    named = {}
    for key, tensor in layers.state_dict().items():
        path, _, field = key.rpartition(".")
        named[f"{names[flat[path]]}.{field}"] = tensor
    return named
