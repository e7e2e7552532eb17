"""A photo's way through a network, kept so that any neuron can be followed down again."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from explorer.attribution.rules import (
    AttributionError,
    ConvRule,
    LinearRule,
    PassRule,
    ReluRule,
    fold_batch_norm,
    read_layer,
)
from explorer.attribution.steps import Branches, FullyConnected, Scale, Step, invert
from explorer.nn.backbones.residual import Residual

BYTES_OF_TRACES = 2**28
"""What the traces of several photos may take together, in bytes; a single one may take more."""

_VALUES_AT_ONCE = {"cpu": 2**21, "cuda": 2**29}  # of P: a processor's cache, a card


@dataclass(frozen=True, eq=False)
class Trace:
    """What layers have made of a batch of images, and the steps back to where it began.

    Attributes
    ----------
    output : Tensor
        (B, ...), signed: what the last layer puts out.
    steps : tuple of Step
        From below.
    """

    output: Tensor
    steps: tuple[Step, ...]

    def follow(
        self, rules: Sequence[PassRule], *, stop: int = 0, dtype: torch.dtype | None = None
    ) -> "Trace":
        """Pass the output through further layers.

        Parameters
        ----------
        rules : sequence of PassRule
            From `read_layers`.
        stop : int
            Index of the first of them whose step is kept.
        dtype : torch.dtype, optional
            Of P and of W⁺ between pixels and the first fully-connected layer; that of the output
            so far when not given.

        Raises
        ------
        AttributionError
            Where a layer cannot take what comes, by its index among `rules`.
        """
        x, steps = self.output, list(self.steps)
        for i, rule in enumerate(rules):
            if i == stop and not steps and x.ndim != 4:
                raise AttributionError(f"stop={stop}: its layer's input has no height and width.")
            if i > 0 and isinstance(rules[i - 1], ConvRule) and isinstance(rule, ReluRule):
                F.relu_(x)  # nobody else sees what a convolution has just put out
                continue
            x, taken = _pass_up(rule, x, i, dtype, is_kept=i >= stop)
            for step in taken:
                _add(steps, step, below=len(self.steps))
        return Trace(x, tuple(steps))

    def draw(self, neurons: Sequence[int] | None = None, *, contrastive: bool = True) -> Tensor:
        """Return the maps of outputs of the last layer, which must be a Linear.

        Parameters
        ----------
        neurons : sequence of int, optional
            Which, in this order; all of them when not given.
        contrastive : bool
            Whether it is c-MWP or plain MWP.

        Returns
        -------
        Tensor
            (B, K, h, w); see `explorer.attribution.excitation.mwp`.
        """
        top = self.steps[-1] if self.steps else None
        if not isinstance(top, FullyConnected):
            raise AttributionError("The last layer must be a Linear: its outputs are the neurons.")
        self._check_output()
        P = top.start(check_neurons(neurons, len(top.weight)), contrastive)
        # The factor a of the top layer is in P already.
        return _draw(P, self.steps[:-2]).to(self.output.dtype)

    def draw_pooled(self, neurons: Sequence[int] | None = None) -> Tensor:
        """Return the maps of outputs, (B, F), that no Linear has made.

        Averages and the like have no negative weights, so that c-MWP and plain MWP are the same: an
        output that fires starts with P = 1. See `draw` for the parameters.
        """
        self._check_output()
        chosen = check_neurons(neurons, self.output.shape[1])
        P = torch.zeros(len(self.output), len(chosen), self.output.shape[1]).to(self.output)
        P[:, range(len(chosen)), chosen] = (self.output[:, chosen] > 0).to(P)
        return _draw(P, self.steps).to(self.output.dtype)

    @property
    def ends_in_linear(self) -> bool:
        """Whether a Linear has made the output, so that `draw` can draw it."""
        return bool(self.steps) and isinstance(self.steps[-1], FullyConnected)

    def _check_output(self) -> None:
        if not self.output.isfinite().all():
            raise AttributionError("The network's output is not finite: check weights and images.")

    @cached_property
    def nbytes(self) -> int:
        """Memory that the steps hold for this batch, in bytes."""
        return sum(_count_bytes(step) for step in self.steps)


def _draw(P: Tensor, steps: Sequence[Step]) -> Tensor:
    """Take P down in as many pieces as its size asks for, and add up its channels."""
    limit = _VALUES_AT_ONCE.get(P.device.type, 2**27)
    for left in range(len(steps), 0, -1):
        if P.numel() > limit and P.shape[1] > 1:
            count = max(1, P.shape[1] * limit // P.numel())
            return torch.cat([_draw(part, steps[:left]) for part in P.split(count, 1)], 1)
        P = steps[left - 1](P)
    dtype = torch.float32 if P.dtype == torch.bfloat16 else P.dtype
    return P.sum(dim=2, dtype=dtype).clamp_(min=0)


def _add(steps: list[Step], step: Step, below: int = 0) -> None:
    """Add a step, or join it with the one under it, save with one of the lowest `below`."""
    joined = steps[-1].join(step) if len(steps) > below else None
    if joined is None:
        steps.append(step)
    else:
        steps[-1] = joined


def _count_bytes(step: Step) -> int:
    values = [
        v for value in vars(step).values() for v in (value if isinstance(value, tuple) else [value])
    ]
    return sum(
        v.nbytes for v in values if isinstance(v, Tensor) and not isinstance(v, nn.Parameter)
    )


def _pass_up(
    rule: PassRule, x: Tensor, i: int, dtype: torch.dtype | None, *, is_kept: bool
) -> tuple[Tensor, list[Step]]:
    try:
        return rule.pass_up(x, dtype or x.dtype) if is_kept else (rule.forward(x), [])
    except torch.OutOfMemoryError:
        raise
    except (AttributionError, RuntimeError, ValueError) as error:
        name = f"Layer {i}, {rule.layer}"
        raise AttributionError(f"{name}, cannot take {tuple(x.shape)}: {error}.") from error


@dataclass(frozen=True, eq=False)
class ResidualRule(PassRule):
    """P_in = the sum over the ways of what each hands down of its share, yᵢ⁺ ⊘ Σ y⁺, of P_out.

    The sum is a linear layer whose weights are all one. A way that puts out something negative
    has no part in it there, as no input of any other layer would.
    """

    ways: tuple[list[PassRule], ...]

    def forward(self, x: Tensor) -> Tensor:
        first, *others = (Trace(x, ()).follow(way, stop=len(way)).output for way in self.ways)
        return sum(others, first)

    def pass_up(self, x: Tensor, dtype: torch.dtype) -> tuple[Tensor, list[Step]]:
        traces = [Trace(x, ()).follow(way, dtype=dtype) for way in self.ways]
        shares = [trace.output.clamp(min=0).to(dtype) for trace in traces]
        inverse = invert(sum(shares[1:], shares[0]))
        ways = []
        for trace, share in zip(traces, shares, strict=True):
            steps = list(trace.steps)
            _add(steps, Scale(share.mul_(inverse)))
            ways.append(tuple(steps))
        outputs = [trace.output for trace in traces]
        return sum(outputs[1:], outputs[0]), [Branches(tuple(ways))]


def read_layers(layers: Iterable[nn.Module], x: Tensor) -> list[PassRule]:
    """Return what each layer does, with batch norms folded into the convolutions before them.

    Raises
    ------
    AttributionError
        For a layer that is not supported or does not have the type and device of `x`; it is named.
    """
    rules: list[PassRule] = []
    for i, layer in enumerate(layers):
        try:
            if not isinstance(layer, Residual):
                _check_parameters(layer, x)
            if isinstance(layer, nn.BatchNorm2d):
                folded = fold_batch_norm(rules[-1] if rules else None, layer)
                rules[-1:] = [folded, PassRule(layer)]
            elif isinstance(layer, Residual):
                rules.append(
                    ResidualRule(layer, tuple(read_layers(way, x) for way in layer.list_ways()))
                )
            else:
                rules.append(read_layer(layer))
        except AttributionError as error:
            raise AttributionError(f"Layer {i}, {layer}: {error}.") from None
    return rules


def begin(images: Tensor, *, is_exact: bool = True) -> Trace:
    """Return a trace of nothing but the images, (B, C, H, W), float32 or float64.

    Where it is to be exact, they are taken up in float64 whatever they are in, save on MPS, which
    knows none: who wins in max pooling is decided by the seventh digit now and then, and with it
    where a share of P goes.
    """
    check_images(images)
    if is_exact and images.device.type != "mps":
        images = images.double()
    return Trace(images.contiguous(memory_format=torch.channels_last), ())


def check_images(images: Tensor) -> None:
    """Raise `AttributionError` where these are no images that a network can take."""
    if images.ndim != 4 or images.dtype not in (torch.float32, torch.float64):
        raise AttributionError(
            f"Images must be (B, C, H, W) in float32 or float64, not {tuple(images.shape)} in "
            f"{images.dtype}."
        )
    if not images.isfinite().all():
        raise AttributionError("The images hold values that are infinite or not a number.")


def ends_in_linear(rules: Sequence[PassRule]) -> bool:
    """Say whether the last layer's outputs can be drawn."""
    return bool(rules) and isinstance(rules[-1], LinearRule)


def _check_parameters(layer: nn.Module, x: Tensor) -> None:
    for tensor in (*layer.parameters(), *layer.buffers()):
        if tensor.is_floating_point() and (tensor.dtype, tensor.device) != (x.dtype, x.device):
            raise AttributionError(
                f"its {tensor.dtype} on {tensor.device} does not fit images in {x.dtype} on "
                f"{x.device}; move one of them with .to()"
            )


def is_index(value: Any, count: int) -> bool:
    """Say whether `value` is a whole number from 0 to below `count`."""
    # A mask of booleans is no list of indices, although each of them counts as an integer.
    return (
        isinstance(value, Integral) and not isinstance(value, bool) and int(value) in range(count)
    )


def check_neurons(neurons: Sequence[int] | None, count: int) -> list[int]:
    """Return the neurons that are asked for, all where none is.

    Raises
    ------
    AttributionError
        Where one of them is no index.
    """
    chosen = list(range(count) if neurons is None else neurons)
    if not chosen or not all(is_index(n, count) for n in chosen):
        raise AttributionError(
            f"neurons must be whole numbers from 0 to {count - 1}, not {chosen}."
        )
    return chosen
