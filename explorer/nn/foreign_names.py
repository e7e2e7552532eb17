"""Finding a network's tensors in a user's file, whatever the program that wrote it calls them."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import takewhile

import torch
from torch import Tensor

from explorer.config import ExplorerError
from explorer.nn.backbones.build import build_without_weights, find_head

# Parts that wrappers such as DataParallel, torch.compile and FSDP add to names, at any place.
_WRAPPERS = frozenset(("module", "model", "network", "net", "_orig_mod", "_fsdp_wrapped_module"))
# Names under which training scripts store the weights that they trained, rather than their average.
_PLAIN = _WRAPPERS | {"state_dict", "model_state_dict", "weights"}
# First parts of names, or pieces of them, that are never layers of a network.
_NOT_LAYERS = ("criterion", "loss", "metric", "acc", "averaged")
_COUNTERS = frozenset(("total_ops", "total_params"))  # left in every layer by a profiler
_MOST_LISTED = 5
_MAX_DEPTH = 16  # of a network in dictionaries and other modules

Name = tuple[str, ...]


@dataclass(frozen=True, eq=False)
class NetworkTensors:
    """The tensors of a network.

    Attributes
    ----------
    tensors : Mapping of str to Tensor
        As in the file, and named as in torchvision as far as they could be told.
    notes : tuple of str
        Sentences on tensors that were left out or go by another name.
    """

    tensors: Mapping[str, Tensor]
    notes: tuple[str, ...]


def find_network(architecture: str, tensors: Mapping[str, Tensor]) -> NetworkTensors:
    """Find the network among the tensors of a file.

    Parts that wrappers add to names are removed wherever they stand. Where the names of a network
    have a common prefix, tensors without it are left out: a loss, metrics, the state of an
    optimiser, an average of the weights. Fully-connected layers with other names are recognised by
    their shapes, if there is only one way.

    Parameters
    ----------
    architecture : str
        The network to find.
    tensors : Mapping of str to Tensor
        All tensors of a file. Dots in their names separate layers, and dictionaries.

    Raises
    ------
    ExplorerError
        When there are several networks with nothing to choose between them, or a tensor is there
        twice.
    """
    batch_norm = any(name.endswith("running_mean") for name in tensors)
    expected = list_shapes(architecture, batch_norm=batch_norm)
    prefix = _choose_prefix(expected, tensors)
    if prefix is None:
        return NetworkTensors(tensors, ())
    found: dict[str, Tensor] = {}
    left_out: list[Name] = []
    for name, tensor in tensors.items():
        parts = tuple(name.split("."))
        own = _remove_wrappers(parts[len(prefix) :])
        if parts[: len(prefix)] != prefix or not _may_be_layer(own, expected):
            left_out.append(parts)
            continue
        if ".".join(own) in found:
            raise ExplorerError(
                f"Two tensors are called {'.'.join(own)[:80]!r} without the names of wrappers. "
                "Save one network alone."
            )
        found[".".join(own)] = tensor
    renamed = _recognise_connected(architecture, expected, found)
    notes = []
    if renamed:
        pairs = (f"{old[:80]!r} as {new!r}" for old, new in renamed.items())
        notes.append(f"Layers were recognised by their shapes: {', '.join(pairs)}.")
    if left_out:
        notes.append(f"Left out, as no part of the network: {_list_groups(prefix, left_out)}.")
    return NetworkTensors(_rename(found, renamed), tuple(notes))


def list_shapes(architecture: str, *, batch_norm: bool) -> dict[str, torch.Size]:
    """List the names and shapes of a network's tensors, for a single category."""
    network = build_without_weights(architecture, 1, batch_norm=batch_norm)
    return {name: tensor.shape for name, tensor in network.state_dict().items()}


def _choose_prefix(
    expected: Mapping[str, torch.Size], tensors: Mapping[str, Tensor]
) -> Name | None:
    """Return the parts in front of the names of the network that fits best, or None."""
    fits: dict[Name, Counter[str]] = defaultdict(Counter)
    for name, tensor in tensors.items():
        parts = tuple(name.split("."))
        for place, part in enumerate(parts[:_MAX_DEPTH]):
            own = ".".join(_remove_wrappers(parts[place:]))
            if part not in _WRAPPERS and own in expected:
                fits[parts[:place]]["name"] += 1
                fits[parts[:place]]["shape"] += tensor.shape == expected[own]
    if not fits:
        return None
    scores = {prefix: (fit["shape"], fit["name"]) for prefix, fit in fits.items()}
    best = [prefix for prefix, score in scores.items() if score == max(scores.values())]
    plain = [prefix for prefix in best if _PLAIN.issuperset(prefix)]
    chosen = plain if len(best) > 1 else best
    if len(chosen) != 1:
        names = " and ".join(repr(".".join(prefix)[:80]) for prefix in (chosen or best)[:2])
        raise ExplorerError(
            f"There are {len(chosen or best)} networks, under {names}. Save one of them alone, "
            "with torch.save(model.state_dict(), …) or as safetensors."
        )
    return chosen[0]


def _remove_wrappers(parts: Name) -> Name:
    return tuple(part for part in parts if part not in _WRAPPERS)


def _may_be_layer(own: Name, expected: Mapping[str, torch.Size]) -> bool:
    """Return whether a tensor below the network's prefix can belong to one of its layers."""
    if not own or own[-1] in _COUNTERS:
        return False
    is_known = any(name.startswith(f"{own[0]}.") for name in expected)
    return is_known or not any(word in own[0] for word in _NOT_LAYERS)


def _recognise_connected(
    architecture: str, expected: Mapping[str, torch.Size], found: Mapping[str, Tensor]
) -> dict[str, str]:
    """Find the fully-connected layers that have other names: old names to new ones.

    A convolution over a whole map is a fully-connected layer too.
    """
    head = find_head(build_without_weights(architecture, 1, batch_norm=False)).name
    missing = {
        _get_layer(name): shape
        for name, shape in expected.items()
        if len(shape) == 2 and name not in found
    }
    spare = {
        _get_layer(name): tensor.flatten(1).shape
        for name, tensor in found.items()
        if name.endswith(".weight") and tensor.ndim in (2, 4) and name not in expected
    }
    if len(missing) != len(spare):
        return {}
    renamed: dict[str, str] = {}
    for new, shape in missing.items():
        fitting = [
            old
            for old, other in spare.items()
            if old not in renamed and (other == shape or (new == head and other[1] == shape[1]))
        ]
        if len(fitting) != 1:
            return {}
        renamed[fitting[0]] = new
    return renamed


def _rename(found: Mapping[str, Tensor], renamed: Mapping[str, str]) -> dict[str, Tensor]:
    named = {}
    for name, tensor in found.items():
        layer, _, kind = name.rpartition(".")
        if layer in renamed:
            named[f"{renamed[layer]}.{kind}"] = tensor.flatten(1) if tensor.ndim > 1 else tensor
        else:
            named[name] = tensor
    return named


def _get_layer(name: str) -> str:
    return name.rpartition(".")[0]


def _list_groups(prefix: Name, names: Iterable[Name]) -> str:
    """List tensors by the first part of their names that is not a part of the prefix."""
    groups: dict[str, list[str]] = defaultdict(list)
    for parts in names:
        pairs = zip(parts[:-1], prefix, strict=False)
        own = parts[sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs)) :]
        groups[own[0]].append(".".join(own))
    listed = [
        repr(group[0][:80]) if len(group) == 1 else f"{first[:80]!r} ({len(group)} tensors)"
        for first, group in groups.items()
    ]
    more = len(listed) - _MOST_LISTED
    return ", ".join(listed[:_MOST_LISTED]) + (f" and {more} more" if more > 0 else "")
