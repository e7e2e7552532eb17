"""Turns a network, such as one of torchvision's ResNets, into a plain list of layers."""

import operator
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn

from explorer.config import ExplorerError

_INPUT = "input"  # caches `_find_input`, whose time would double with every addition
_ADDITIONS = (operator.add, operator.iadd, torch.add)


class Residual(nn.Module):
    """The sum of the outputs of several branches from the same input.

    Parameters
    ----------
    branches : sequence of nn.Sequential
        An empty one is a skip connection.
    """

    def __init__(self, branches: Sequence[nn.Sequential]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def list_branches(self) -> list[list[nn.Module]]:
        """List the layers of each branch; a layer that is used twice is listed twice."""
        return [[*branch] for branch in self.branches if isinstance(branch, nn.Sequential)]

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum of the branches' outputs for `x`."""
        first, *others = (branch(x) for branch in self.branches)
        total: Tensor = sum(others, first)
        return total


def list_layers(network: nn.Module) -> nn.Sequential:
    """List a network's layers in order, with each addition of two branches as one `Residual`.

    The network is traced, not run, and set to evaluation mode. Its layers are shared, not copied.

    Parameters
    ----------
    network : nn.Module
        One input and one output; layers, additions and ``flatten(x, 1)`` in between.

    Returns
    -------
    nn.Sequential
        Equal to `network`.

    Raises
    ------
    ExplorerError
        When the network cannot be traced, or contains anything else, which the message names.
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
    """List the layers above `start`, up to and including `node`."""
    layers: list[nn.Module] = []
    while node is not start:
        layers.append(_make_layer(network, node))
        node = _get_input(node)
    return nn.Sequential(*reversed(layers))


def _make_layer(network: nn.Module, node: fx.Node) -> nn.Module:
    if node.op == "call_module":
        return network.get_submodule(str(node.target))
    if _is_addition(node):
        fork = _get_input(node)
        branches = [_unroll(network, branch, fork) for branch in node.all_input_nodes]
        return Residual(branches * (2 if len(branches) == 1 else 1))  # x + x has a single input
    if node.target in (torch.flatten, "flatten") and node.args[1:] == (1,) and not node.kwargs:
        return nn.Flatten()
    raise ExplorerError(
        f"{node.name!r} is not supported: a network may have layers, additions of two branches and "
        "flatten(x, 1)."
    )


def _get_input(node: fx.Node) -> fx.Node:
    """Return the node that `node` gets its input from; of an addition, where its branches fork."""
    if _INPUT not in node.meta:
        node.meta[_INPUT] = _find_input(node)
    found: fx.Node = node.meta[_INPUT]
    return found


def _find_input(node: fx.Node) -> fx.Node:
    inputs = node.all_input_nodes
    if not inputs or (len(inputs) > 1 and not _is_addition(node)):
        raise ExplorerError(f"{node.name!r} does not have one input, so it is not supported.")
    if len(inputs) == 1:
        return inputs[0]
    first = _list_path(inputs[0])
    return next(candidate for candidate in _list_path(inputs[1]) if candidate in first)


def _list_path(node: fx.Node) -> list[fx.Node]:
    """List the nodes from `node` down to the network's input."""
    nodes = [node]
    while nodes[-1].op != "placeholder":
        nodes.append(_get_input(nodes[-1]))
    return nodes


def _is_addition(node: Any) -> bool:
    is_sum = node.op == "call_function" and node.target in _ADDITIONS
    return is_sum and all(isinstance(arg, fx.Node) for arg in node.args) and not node.kwargs
