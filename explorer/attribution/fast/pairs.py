"""Max pooling over windows of 2 × 2 side by side: each of the four places is a view of the map."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from explorer.attribution.fast.convolution import as_pair
from explorer.attribution.steps import Scale, Step, Unpool

_TIE = {torch.float64: 1e-12}
"""Pixels that differ by less, relatively, are equal but for rounding."""


def pools_pairs(layer: nn.MaxPool2d, x: Tensor) -> bool:
    """Say whether the windows of `layer` are 2 × 2 and fill `x`, (B, C, h, w)."""
    kernel, stride, padding, dilation = (
        as_pair(getattr(layer, name)) for name in ("kernel_size", "stride", "padding", "dilation")
    )
    is_even = x.ndim == 4 and x.shape[2] % 2 == x.shape[3] % 2 == 0
    return is_even and (kernel, stride, padding, dilation) == ((2, 2), (2, 2), (0, 0), (1, 1))


def pool(x: Tensor) -> Tensor:
    """Return the largest of each window, (B, C, h / 2, w / 2)."""
    a, b, c, d = cut_pairs(x)
    return torch.maximum(torch.maximum(a, b), torch.maximum(c, d))


def unpool(x: Tensor, y: Tensor, dtype: torch.dtype) -> "UnpoolPairs":
    """Return the step down from `y`, what `pool` made of `x`; the first of equals wins."""
    shares: list[Tensor] = []
    is_free = torch.ones_like(y, dtype=torch.bool)
    least = y - y.abs() * _TIE.get(y.dtype, 0)
    for place in cut_pairs(x):
        wins = (place >= least) & is_free
        is_free &= ~wins
        shares.append(wins.to(dtype))
    return UnpoolPairs(tuple(shares))


@dataclass(frozen=True, eq=False)
class UnpoolPairs(Unpool):
    """Windows of 2 × 2 beside one another: four products fill the map, one of each window."""

    shares: tuple[Tensor, ...]  # four of (B, C, h/2, w/2), row by row; zero but at the winner

    def __call__(self, P: Tensor) -> Tensor:
        *count, height, width = P.shape
        # Channels last, as everything between convolutions.
        below = P.new_empty(*count[:2], 2 * height, 2 * width, count[2]).movedim(-1, 2)
        for share, part in zip(self.shares, cut_pairs(below), strict=True):
            torch.mul(P, share[:, None], out=part)
        return below

    def scale_below(self, factor: Tensor) -> Unpool:
        pairs = zip(self.shares, cut_pairs(factor), strict=True)
        return UnpoolPairs(tuple(share.mul_(part) for share, part in pairs))

    def join(self, above: Step) -> Step | None:
        if not isinstance(above, Scale):
            return None
        return UnpoolPairs(tuple(share.mul_(above.factor) for share in self.shares))


def cut_pairs(maps: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the four places of every 2 × 2 window of (..., h, w), row by row, as views."""
    top: Tensor = maps[..., ::2, :]
    bottom: Tensor = maps[..., 1::2, :]
    return top[..., ::2], top[..., 1::2], bottom[..., ::2], bottom[..., 1::2]
