"""Keeps the best weights of every member of a group, and tells when one gets no better."""

import math
from collections.abc import Sequence

import torch

from explorer.nn.grouped import ModuleGroup
from explorer.nn.srae import ExplanationModule

_ROUNDING = 1e-5  # a loss must be lower by more than this share of it


class BestWeights:
    """The weights with which each member of a group had its lowest loss on validation photos.

    Parameters
    ----------
    module : ModuleGroup
        Watched; what it holds now counts as the best until `update` is called.
    patience : int
        Epochs without a lower loss after which a member is done, >= 1.
    """

    def __init__(self, module: ModuleGroup, patience: int) -> None:
        self._module = module
        self._patience = patience
        self._weights = [stack.detach().clone() for stack in module.parameters()]
        members = len(self._weights[0])
        self._losses = [math.inf] * members
        self._ages = [0] * members

    @torch.no_grad()
    def update(self, losses: Sequence[float]) -> list[int]:
        """Take in the losses (G,) of one more epoch; return the positions of who is done."""
        better = [i for i, loss in enumerate(losses) if loss < (1 - _ROUNDING) * self._losses[i]]
        for i in better:
            self._losses[i] = losses[i]
        for best, stack in zip(self._weights, self._module.parameters(), strict=True):
            best[better] = stack[better]
        self._ages = [0 if i in better else age + 1 for i, age in enumerate(self._ages)]
        return [i for i, age in enumerate(self._ages) if age >= self._patience]

    @torch.no_grad()
    def copy_member(self, index: int) -> ExplanationModule:
        """Return a member as it was at its best, ready to use; it may be trained no further."""
        for best, stack in zip(self._weights, self._module.parameters(), strict=True):
            stack[index] = best[index]
        return self._module.copy_member(index)

    def keep(self, members: Sequence[int]) -> None:
        """Go on with some of the members, given by their present positions."""
        self._weights = [best[members] for best in self._weights]
        self._losses = [self._losses[member] for member in members]
        self._ages = [self._ages[member] for member in members]
