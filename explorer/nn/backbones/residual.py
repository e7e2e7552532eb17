"""Networks with residual additions, such as torchvision's ResNets, as a plain list of layers."""

import operator
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn

from explorer.config import ExplorerError

_BELOW = "below"  # kept with each node: the ways to an addition lie above those to the one before
_ADDITIONS = (operator.add, operator.iadd, torch.add)


class Residual(nn.Module):
    """Several ways from the same input, whose outputs are added up.

    Parameters
    ----------
    ways : sequence of nn.Sequential
        One without layers hands its input on.
    """

    def __init__(self, ways: Sequence[nn.Sequential]) -> None:
        super().__init__()
        self.ways = nn.ModuleList(ways)

    def list_ways(self) -> list[list[nn.Module]]:
        """List the layers of each way; one that is used twice is listed twice."""
        return [[*way] for way in self.ways if isinstance(way, nn.Sequential)]

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum of what all ways make of `x`."""
        first, *others = (way(x) for way in self.ways)
        total: Tensor = sum(others, first)
        return total


def list_layers(network: nn.Module) -> nn.Sequential:
    """List a network's layers in order, each addition of two ways as one `Residual`.

    The network is traced, not run, and put into evaluation mode; its layers are shared, not copied.

    Parameters
    ----------
    network : nn.Module
        One input, one output; layers, additions and ``flatten(x, 1)`` between them.

    Returns
    -------
    nn.Sequential
        Computes what `network` computes.

    Raises
    ------
    ExplorerError
        When the network cannot be traced, or does something else; it is named.
    """
    try:
        graph = fx.Tracer().trace(network.eval())
    except Exception as error:
        raise ExplorerError(f"{type(network).__name__} cannot be traced: {error}.") from error
    nodes = {node.op: node for node in graph.nodes}
    last = nodes["output"].args[0]
    if not isinstance(last, fx.Node):
        raise ExplorerError(f"{type(network).__name__} has more than one output.")
    return _unroll(network, last, nodes["placeholder"])


def _unroll(network: nn.Module, node: fx.Node, start: fx.Node) -> nn.Sequential:
    """List the layers above `start` up to and including `node`."""
    layers: list[nn.Module] = []
    while node is not start:
        layers.append(_read_node(network, node))
        node = _get_below(node)
    return nn.Sequential(*reversed(layers))


def _read_node(network: nn.Module, node: fx.Node) -> nn.Module:
    if node.op == "call_module":
        return network.get_submodule(str(node.target))
    if _is_addition(node):
        fork = _get_below(node)
        ways = [_unroll(network, way, fork) for way in node.all_input_nodes]
        return Residual(ways * (2 if len(ways) == 1 else 1))  # x + x has a single input
    if node.target in (torch.flatten, "flatten") and node.args[1:] == (1,) and not node.kwargs:
        return nn.Flatten()
    raise ExplorerError(
        f"{node.name!r} is not supported: a network may have layers, additions of two ways and "
        "flatten(x, 1)."
    )


def _get_below(node: fx.Node) -> fx.Node:
    """Return where a node's input comes from; below an addition, where its ways part."""
    if _BELOW not in node.meta:
        node.meta[_BELOW] = _find_below(node)
    below: fx.Node = node.meta[_BELOW]
    return below


def _find_below(node: fx.Node) -> fx.Node:
    inputs = node.all_input_nodes
    if not inputs or (len(inputs) > 1 and not _is_addition(node)):
        raise ExplorerError(f"{node.name!r} does not have one input, so it is not supported.")
    if len(inputs) == 1:
        return inputs[0]
    first = _list_below(inputs[0])
    return next(candidate for candidate in _list_below(inputs[1]) if candidate in first)


def _list_below(node: fx.Node) -> list[fx.Node]:
    nodes = [node]
    while nodes[-1].op != "placeholder":
        nodes.append(_get_below(nodes[-1]))
    return nodes


def _is_addition(node: Any) -> bool:
    is_sum = node.op == "call_function" and node.target in _ADDITIONS
    return is_sum and all(isinstance(arg, fx.Node) for arg in node.args) and not node.kwargs
