"""The steps of the backward pass: each takes P, the winning probability, from a layer to the next.

A step maps P at its upper end, (B, K, ...) for K neurons of each of B images, to P at its lower
end. It is linear in P, may overwrite its input, and treats neurons independently, so that they can
be processed in chunks.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

_MAX_FLOAT64_WEIGHTS = 2**25  # a larger fully-connected layer is summed in its own precision
# Weights that are clamped and multiplied at once, so that they stay in the cache.
_CHUNK_WEIGHTS = 2**19


def invert(normaliser: Tensor) -> Tensor:
    """Return 1 ⊘ (W⁺a), and 0 where W⁺a is 0 or so small that its inverse might overflow."""
    limits = torch.finfo(normaliser.dtype)
    return F.threshold(normaliser, limits.tiny / limits.eps, torch.inf).reciprocal_()


class Step:
    """Base class: takes P from its upper to its lower end."""

    def __call__(self, P: Tensor) -> Tensor:
        """Return P at the lower end, (B, K, ...), given P at the upper end."""
        raise NotImplementedError

    def fuse(self, above: "Step") -> "Step | None":  # noqa: ARG002
        """Return one step that replaces this one and the one above it, or None."""
        return None


@dataclass(frozen=True, eq=False)
class Scale(Step):
    """P_in = factor ⊙ P_out: an activation, an inverse normaliser, or the product of both."""

    factor: Tensor  # (B, ...), >= 0

    def __call__(self, P: Tensor) -> Tensor:
        return P.mul_(self.factor[:, None])

    def fuse(self, above: Step) -> Step | None:
        if isinstance(above, Scale):
            # In place: the lower factor is an inverse normaliser, which nothing else uses.
            return Scale(self.factor.mul_(above.factor))
        return above.fuse_scale(self.factor) if isinstance(above, Unpool) else None


@dataclass(frozen=True, eq=False)
class Reshape(Step):
    """P_in = P_out, reshaped to the activations of an image and converted to `dtype`."""

    shape: tuple[int, ...]
    dtype: torch.dtype

    def __call__(self, P: Tensor) -> Tensor:
        return to_channels_last(P.reshape(*P.shape[:2], *self.shape).to(self.dtype))


def to_channels_last(P: Tensor) -> Tensor:
    """Convert (B, K, C, h, w) to the memory layout that is fastest for convolutions."""
    if P.ndim != 5:
        return P
    flat = P.flatten(0, 1).contiguous(memory_format=torch.channels_last)
    converted: Tensor = flat.unflatten(0, P.shape[:2])
    return converted


@dataclass(frozen=True, eq=False)
class FullyConnected(Step):
    """P_in = W⁺ᵀ(P_out ⊘ (W⁺a)); the factor a is a separate `Scale`.

    Sums are computed in float64 unless the layer is huge. A c-MWP map starts as the difference of
    two maps with equal sums. The difference fades on its way down, but a rounding error of its sum
    does not: it would be most of the error of a map in float32.
    """

    a: Tensor  # (B, F), >= 0
    weight: Tensor  # (O, F), signed
    is_active: Tensor  # (O,), bool: the outputs where P can be non-zero
    _inverses: list[Tensor] = field(default_factory=list)  # inverse normalisers, after first use

    def __call__(self, P: Tensor) -> Tensor:
        dtype = self._choose_dtype()
        P, a = P.to(dtype), self.a.to(dtype)
        chunks = self._chunk_rows()
        known: list[Tensor | None] = [*self._inverses] or [None] * len(chunks)
        inverses: list[Tensor] = []
        P_in = P.new_zeros(*P.shape[:2], self.weight.shape[1])
        for rows, inverse in zip(chunks, known, strict=True):
            positive = self.weight.index_select(0, rows).to(dtype).clamp_(min=0)
            inverses.append(invert(a @ positive.T) if inverse is None else inverse)
            share = P[..., rows] * inverses[-1][:, None]
            P_in.flatten(0, 1).addmm_(share.flatten(0, 1), positive)
        self._inverses[:] = inverses  # threads may race here: all of them write the same values
        return P_in

    def start(self, neurons: Sequence[int], contrastive: bool) -> Tensor:
        """Return P at the layer's input, (B, K, F), where each of K output neurons has P = 1.

        P⁺ₖ = a ⊙ Wₖ⁺ / (Wₖ⁺·a); contrastive: P⁺ − P⁻, with P⁻ computed alike from (−W)⁺ (Zhang et
        al. (2016), section 3.3). The factor a is included, unlike in a call.
        """
        dtype = self._choose_dtype()
        a, weight = self.a.to(dtype), self.weight[neurons].to(dtype)

        def share(positive: Tensor) -> Tensor:
            return a[:, None] * positive * invert(a @ positive.T)[..., None]

        P = share(weight.clamp(min=0))
        return P - share((-weight).clamp(min=0)) if contrastive else P

    def _choose_dtype(self) -> torch.dtype:
        has_float64 = self.weight.device.type != "mps"
        is_small = self.weight.numel() <= _MAX_FLOAT64_WEIGHTS
        return torch.float64 if has_float64 and is_small else self.weight.dtype

    def _chunk_rows(self) -> tuple[Tensor, ...]:
        active = self.is_active.nonzero()[:, 0]
        if self.weight.device.type != "cpu":
            return (active,)
        rows: tuple[Tensor, ...] = active.split(max(1, _CHUNK_WEIGHTS // self.weight.shape[1]))
        return rows


@dataclass(frozen=True, eq=False)
class Convolution(Step):
    """P_in = W⁺ᵀ P_out; the inverse normaliser and the factor a are separate `Scale` steps."""

    transpose: Callable[[Tensor], Tensor]  # W⁺ᵀ: (N, O, h', w') to (N, I, h, w)

    def __call__(self, P: Tensor) -> Tensor:
        P_in: Tensor = self.transpose(P.flatten(0, 1)).unflatten(0, P.shape[:2])
        return P_in


@dataclass(frozen=True, eq=False)
class Average(Step):
    """P_in = rows P_out columnsᵀ: average pooling, with its `Scale` steps separate as well."""

    rows: Tensor  # (h, h')
    columns: Tensor  # (w, w')

    def __call__(self, P: Tensor) -> Tensor:
        return to_channels_last(self.rows @ P @ self.columns.T)


class Unpool(Step):
    """Base class of max pooling: P_in = P_out at the winner of each window, 0 elsewhere."""

    def fuse_scale(self, factor: Tensor) -> "Unpool":
        """Return one step for this one followed by a `Scale` below it, (B, C, h, w)."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class UnpoolAny(Unpool):
    """Max pooling with any windows: where they overlap, the shares of a winner add up."""

    winners: Tensor  # (B, C, h', w'): index of each winner in the flattened map
    size: tuple[int, int]

    def __call__(self, P: Tensor) -> Tensor:
        P = P.flatten(3)
        below = P.new_zeros(*P.shape[:3], self.size[0] * self.size[1])
        below.scatter_add_(-1, self.winners.flatten(2)[:, None].expand_as(P), P)
        return to_channels_last(below.unflatten(-1, self.size))

    def fuse_scale(self, factor: Tensor) -> Unpool:
        return ScaledUnpool(self.winners, self.size, factor)


@dataclass(frozen=True, eq=False)
class ScaledUnpool(UnpoolAny):
    """`UnpoolAny` followed by a `Scale`."""

    factor: Tensor  # (B, C, h, w)

    def __call__(self, P: Tensor) -> Tensor:
        return super().__call__(P).mul_(self.factor[:, None])


@dataclass(frozen=True, eq=False)
class Branches(Step):
    """P_in = the sum of the P that each branch from the same input passes down."""

    branches: tuple[tuple[Step, ...], ...]  # the steps of each, from its input up

    def __call__(self, P: Tensor) -> Tensor:
        first, *others = self.branches
        total = propagate(P.clone(), first)
        for branch in others:
            total = total + propagate(P.clone(), branch)
        return total


def propagate(P: Tensor, steps: Sequence[Step]) -> Tensor:
    """Take P down through `steps`, which are listed from the lowest up."""
    for step in reversed(steps):
        P = step(P)
    return P


def append_step(steps: list[Step], step: Step, *, frozen: int = 0) -> None:
    """Append a step, fused with the one below it if possible and not among the first `frozen`."""
    fused = steps[-1].fuse(step) if len(steps) > frozen else None
    if fused is None:
        steps.append(step)
    else:
        steps[-1] = fused
