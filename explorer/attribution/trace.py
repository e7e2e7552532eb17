"""A recorded forward pass, from which maps of any neurons can be drawn."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral
from typing import Any

import torch
from torch import Tensor, nn

from explorer.attribution.rules import AttributionError, Rule, Watch, record_layers
from explorer.attribution.steps import FullyConnected, Step

MAX_TRACE_BYTES = 2**28
"""Memory that the traces of several photos may take together; a single one may take more."""

_CHUNK_VALUES = {"cpu": 2**21, "cuda": 2**29}  # of P: what fits a processor's cache, and a GPU
_DEFAULT_CHUNK_VALUES = 2**27


@dataclass(frozen=True, eq=False)
class Trace:
    """The output of some layers for a batch of images, and the steps back to where they began.

    Attributes
    ----------
    output : Tensor
        (B, ...), signed: the output of the last layer.
    steps : tuple of Step
        The lowest first.
    """

    output: Tensor
    steps: tuple[Step, ...] = ()

    def extend(
        self,
        rules: Sequence[Rule],
        *,
        stop: int = 0,
        dtype: torch.dtype | None = None,
        watch: Watch | None = None,
    ) -> "Trace":
        """Return a trace that goes through further layers; this one stays as it is.

        Parameters
        ----------
        rules : sequence of Rule
            From `explorer.attribution.layers.make_rules`.
        stop, dtype, watch
            See `explorer.attribution.rules.record_layers`.

        Raises
        ------
        AttributionError
            When a layer cannot take its input; the message names the layer by its index in `rules`.
        """
        output, steps = record_layers(
            rules, self.output, self.steps, stop=stop, dtype=dtype, watch=watch
        )
        return Trace(output, tuple(steps))

    def draw(self, neurons: Sequence[int] | None = None, *, contrastive: bool = True) -> Tensor:
        """Return the maps of output neurons.

        Where the last layer with weights is a Linear, these are its neurons. Other outputs, such as
        averages, have no negative weights above them, so that c-MWP and MWP are the same: each
        starts with P = 1 if it is active.

        Parameters
        ----------
        neurons : sequence of int, optional
            Which to draw, in this order; by default all.
        contrastive : bool
            c-MWP instead of plain MWP.

        Returns
        -------
        Tensor
            (B, K, h, w); see `explorer.attribution.excitation.mwp`.

        Raises
        ------
        AttributionError
            When the output is not (B, F), or is not finite, or there are no such neurons.
        """
        if self.output.ndim != 2:
            raise AttributionError("Only outputs without height and width are neurons to draw.")
        if not self.output.isfinite().all():
            raise AttributionError("The network's output is not finite: check weights and images.")
        chosen = check_neurons(neurons, self.output.shape[1])
        top = self.steps[-1] if self.steps else None
        if isinstance(top, FullyConnected):
            # `start` includes the factor a, which is the `Scale` below the top layer.
            P, steps = top.start(chosen, contrastive), self.steps[:-2]
        else:
            P, steps = self._start_active(chosen), self.steps
        return _draw(P, steps).to(self.output.dtype)

    def _start_active(self, neurons: Sequence[int]) -> Tensor:
        count, size = self.output.shape
        P = self.output.new_zeros(count, len(neurons), size)
        P[:, range(len(neurons)), neurons] = (self.output[:, neurons] > 0).to(P)
        return P

    @cached_property
    def nbytes(self) -> int:
        """Memory that the steps hold for this batch, in bytes, without the network's weights."""
        return sum(_count_bytes(step) for step in self.steps)


def _draw(P: Tensor, steps: Sequence[Step]) -> Tensor:
    """Take P down `steps` and sum its channels; once P is large, continue in chunks of neurons."""
    limit = _CHUNK_VALUES.get(P.device.type, _DEFAULT_CHUNK_VALUES)
    for remaining in range(len(steps), 0, -1):
        if P.numel() > limit and P.shape[1] > 1:
            size = max(1, P.shape[1] * limit // P.numel())
            return torch.cat([_draw(chunk, steps[:remaining]) for chunk in P.split(size, 1)], 1)
        P = steps[remaining - 1](P)
    dtype = torch.float32 if P.dtype == torch.bfloat16 else P.dtype
    return P.sum(dim=2, dtype=dtype).clamp_(min=0)


def _count_bytes(value: Any) -> int:
    if isinstance(value, Tensor):
        return 0 if isinstance(value, nn.Parameter) else value.nbytes
    if isinstance(value, Step):
        return sum(_count_bytes(one) for one in vars(value).values())
    return sum(map(_count_bytes, value)) if isinstance(value, tuple) else 0


def start_trace(images: Tensor, *, exact: bool = True) -> Trace:
    """Return a trace of the images alone.

    Parameters
    ----------
    images : Tensor
        (B, C, H, W), float32 or float64.
    exact : bool
        Run the forward pass in float64 (except on MPS, which has none). In float32 the winner of
        a max pooling window is sometimes decided by a rounding error, and with it where P goes.

    Raises
    ------
    AttributionError
        See `check_images`.
    """
    check_images(images)
    if exact and images.device.type != "mps":
        images = images.double()
    return Trace(images.contiguous(memory_format=torch.channels_last))


def check_images(images: Tensor) -> None:
    """Raise `AttributionError` unless these are finite images, (B, C, H, W), in floating point."""
    if images.ndim != 4 or images.dtype not in (torch.float32, torch.float64):
        raise AttributionError(
            f"Images must be (B, C, H, W) in float32 or float64, not {tuple(images.shape)} in "
            f"{images.dtype}."
        )
    if not images.isfinite().all():
        raise AttributionError("The images contain values that are infinite or not a number.")


def check_neurons(neurons: Sequence[int] | None, count: int) -> list[int]:
    """Return the chosen neurons, or all `count` when none are given.

    Raises
    ------
    AttributionError
        When one of them is not a neuron's index, or the sequence is empty.
    """
    chosen = list(range(count) if neurons is None else neurons)
    if not chosen or not all(is_index(n, count) for n in chosen):
        raise AttributionError(
            f"neurons must be whole numbers from 0 to {count - 1}, not {chosen}."
        )
    return chosen


def is_index(value: Any, count: int) -> bool:
    """Return whether `value` is a whole number from 0 to below `count`."""
    # A boolean counts as an integer, but a mask is not a list of indices.
    return (
        isinstance(value, Integral) and not isinstance(value, bool) and int(value) in range(count)
    )
