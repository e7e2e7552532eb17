"""Early stopping: the best weights of each member of a group, and when it stops improving."""

import math
from collections.abc import Sequence

import torch

from explorer.nn.grouped import ModuleGroup
from explorer.nn.srae import ExplanationModule

_TOLERANCE = 1e-5  # relative; a smaller decrease does not count


class BestWeights:
    """The weights of each member of a group at its lowest validation loss.

    Parameters
    ----------
    module : ModuleGroup
        The group; its current weights count as the best until `update` is called.
    patience : int
        Number of epochs without a lower loss after which a member is finished, >= 1.
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
        """Add the losses (G,) of an epoch; return the positions of finished members."""
        better = [i for i, loss in enumerate(losses) if loss < (1 - _TOLERANCE) * self._losses[i]]
        for i in better:
            self._losses[i] = losses[i]
        for best, stack in zip(self._weights, self._module.parameters(), strict=True):
            best[better] = stack[better]
        self._ages = [0 if i in better else age + 1 for i, age in enumerate(self._ages)]
        return [i for i, age in enumerate(self._ages) if age >= self._patience]

    @torch.no_grad()
    def copy_member(self, index: int) -> ExplanationModule:
        """Restore the best weights of a member in the group, and return a copy of it."""
        for best, stack in zip(self._weights, self._module.parameters(), strict=True):
            stack[index] = best[index]
        return self._module.copy_member(index)

    def keep(self, members: Sequence[int]) -> None:
        """Keep some of the members, given by their current positions."""
        self._weights = [best[members] for best in self._weights]
        self._losses = [self._losses[member] for member in members]
        self._ages = [self._ages[member] for member in members]
