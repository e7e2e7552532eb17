"""The way down: what is kept of a network's layers once a photo has passed through them.

A step takes P at its upper end, (B, K, ...) for K neurons of each of B images, to P at its lower
end, and is linear in P. It may write over what it is given, and K may be cut into pieces.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

_EXACT_WEIGHTS = 2**25  # a fully-connected layer with more of them is summed in its own precision
_WEIGHTS_IN_CACHE = 2**21  # as many are clamped and multiplied while a processor has them at hand


def invert(normaliser: Tensor) -> Tensor:
    """Return 1 ⊘ (W⁺a), and 0 where W⁺a is 0 or so small that its inverse might overflow."""
    limits = torch.finfo(normaliser.dtype)
    return F.threshold(normaliser, limits.tiny / limits.eps, torch.inf).reciprocal_()


class Step:
    """Takes P some way down; the base of the others."""

    def __call__(self, P: Tensor) -> Tensor:
        """Return P at the lower end, (B, K, ...), given P at the upper end."""
        raise NotImplementedError

    def join(self, above: "Step") -> "Step | None":  # noqa: ARG002
        """Return one step for this one and the one above it; None where it takes both."""
        return None


@dataclass(frozen=True, eq=False)
class Scale(Step):
    """P_in = factor ⊙ P_out: an activation, one over a normaliser, or the product of both."""

    factor: Tensor  # (B, ...), >= 0

    def __call__(self, P: Tensor) -> Tensor:
        return P.mul_(self.factor[:, None])

    def join(self, above: Step) -> Step | None:
        if isinstance(above, Scale):
            # The lower one of two is one over a normaliser, which nothing else looks at.
            return Scale(self.factor.mul_(above.factor))
        return above.scale_below(self.factor) if isinstance(above, Unpool) else None


@dataclass(frozen=True, eq=False)
class Reshape(Step):
    """P_in = P_out in the shape of the activations of an image, in `dtype`."""

    shape: tuple[int, ...]
    dtype: torch.dtype

    def __call__(self, P: Tensor) -> Tensor:
        return to_channels_last(P.reshape(*P.shape[:2], *self.shape).to(self.dtype))


def to_channels_last(P: Tensor) -> Tensor:
    """Lay (B, K, C, h, w) out as convolutions like it best; anything else stays as it is."""
    if P.ndim != 5:
        return P
    flat = P.flatten(0, 1).contiguous(memory_format=torch.channels_last)
    laid_out: Tensor = flat.unflatten(0, P.shape[:2])
    return laid_out


@dataclass(frozen=True, eq=False)
class FullyConnected(Step):
    """P_in = W⁺ᵀ(P_out ⊘ (W⁺a)); the factor a is a `Scale` of its own.

    Sums are formed in float64, except in a huge layer: c-MWP begins as the difference of two maps
    with equal sums. It fades on its way down; what rounding leaves of its sum does not, and would
    be most of the error of a map in float32.
    """

    a: Tensor  # (B, F), >= 0
    weight: Tensor  # (O, F), signed
    is_active: Tensor  # (O,), bool: the outputs that may hold P
    _inverses: list[Tensor] = field(default_factory=list)  # one over the normalisers, once known

    def __call__(self, P: Tensor) -> Tensor:
        dtype = self._choose_dtype()
        P, a = P.to(dtype), self.a.to(dtype)
        chunks = self._split_rows()
        known: list[Tensor | None] = [*self._inverses] or [None] * len(chunks)
        found: list[Tensor] = []
        P_in = P.new_zeros(*P.shape[:2], self.weight.shape[1])
        for rows, inverse in zip(chunks, known, strict=True):
            positive = self.weight.index_select(0, rows).to(dtype).clamp_(min=0)
            found.append(invert(a @ positive.T) if inverse is None else inverse)
            share = P[..., rows] * found[-1][:, None]
            P_in.flatten(0, 1).addmm_(share.flatten(0, 1), positive)
        self._inverses[:] = found  # the same ones, whichever thread comes first
        return P_in

    def start(self, neurons: Sequence[int], contrastive: bool) -> Tensor:
        """Return P at the layer's input, factor a included, (B, K, F): each neuron has P = 1.

        P⁺ₖ = a ⊙ Wₖ⁺ / (Wₖ⁺·a); contrastive: P⁺ − P⁻, with P⁻ the same from (−W)⁺ (Zhang et al.
        (2016), section 3.3).
        """
        dtype = self._choose_dtype()
        a, weight = self.a.to(dtype), self.weight[neurons].to(dtype)

        def share(positive: Tensor) -> Tensor:
            return a[:, None] * positive * invert(a @ positive.T)[..., None]

        P = share(weight.clamp(min=0))
        return P - share((-weight).clamp(min=0)) if contrastive else P

    def _choose_dtype(self) -> torch.dtype:
        is_exact = self.weight.numel() <= _EXACT_WEIGHTS and self.weight.device.type != "mps"
        return torch.float64 if is_exact else self.weight.dtype

    def _split_rows(self) -> tuple[Tensor, ...]:
        active = self.is_active.nonzero()[:, 0]
        if self.weight.device.type != "cpu":
            return (active,)
        rows: tuple[Tensor, ...] = active.split(max(1, _WEIGHTS_IN_CACHE // self.weight.shape[1]))
        return rows


@dataclass(frozen=True, eq=False)
class Convolution(Step):
    """P_in = W⁺ᵀ P_out; normaliser and factor a are `Scale` s."""

    transpose: Callable[[Tensor], Tensor]  # W⁺ᵀ: (N, O, h', w') to (N, I, h, w)

    def __call__(self, P: Tensor) -> Tensor:
        P_in: Tensor = self.transpose(P.flatten(0, 1)).unflatten(0, P.shape[:2])
        return P_in


@dataclass(frozen=True, eq=False)
class Average(Step):
    """P_in = rows P_out columnsᵀ: average pooling; normaliser and factor a are `Scale` s."""

    rows: Tensor  # (h, h')
    columns: Tensor  # (w, w')

    def __call__(self, P: Tensor) -> Tensor:
        return to_channels_last(self.rows @ P @ self.columns.T)


class Unpool(Step):
    """P_in = P_out at the winner of each window, 0 elsewhere; the base of the ways to do so."""

    def scale_below(self, factor: Tensor) -> "Unpool":
        """Return the step that this one is, followed by a `Scale` below it, (B, C, h, w)."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class UnpoolAny(Unpool):
    """Windows of any kind: where they overlap, the shares of a winner add up."""

    winners: Tensor  # (B, C, h', w'): the place of each in the flattened map
    size: tuple[int, int]

    def __call__(self, P: Tensor) -> Tensor:
        P = P.flatten(3)
        below = P.new_zeros(*P.shape[:3], self.size[0] * self.size[1])
        below.scatter_add_(-1, self.winners.flatten(2)[:, None].expand_as(P), P)
        return to_channels_last(below.unflatten(-1, self.size))

    def scale_below(self, factor: Tensor) -> Unpool:
        return ScaledUnpool(self.winners, self.size, factor)


@dataclass(frozen=True, eq=False)
class ScaledUnpool(UnpoolAny):
    """`UnpoolAny` and what lies below it."""

    factor: Tensor  # (B, C, h, w)

    def __call__(self, P: Tensor) -> Tensor:
        return super().__call__(P).mul_(self.factor[:, None])


@dataclass(frozen=True, eq=False)
class Branches(Step):
    """P_in = the sum of what several ways from the same input are handed down."""

    ways: tuple[tuple[Step, ...], ...]  # each from its input up

    def __call__(self, P: Tensor) -> Tensor:
        total = descend(P.clone(), self.ways[0])
        for way in self.ways[1:]:
            total = total + descend(P.clone(), way)
        return total


def descend(P: Tensor, steps: Sequence[Step]) -> Tensor:
    """Take P down steps that are listed from below."""
    for step in reversed(steps):
        P = step(P)
    return P
