"""Max pooling with windows of 2 × 2 and stride 2, where each of the four pixels is a view."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from explorer.attribution.steps import Scale, Step, Unpool
from explorer.nn.fast.convolution import as_pair

_TIE_TOLERANCE = {torch.float64: 1e-12}
"""Pixels whose relative difference is smaller count as equal: it is a rounding error."""


def applies(layer: nn.MaxPool2d, x: Tensor) -> bool:
    """Return whether `layer` has windows of 2 × 2 that cover all of `x`, (B, C, h, w)."""
    kernel, stride, padding, dilation = (
        as_pair(getattr(layer, name)) for name in ("kernel_size", "stride", "padding", "dilation")
    )
    is_even = x.ndim == 4 and x.shape[2] % 2 == x.shape[3] % 2 == 0
    return is_even and (kernel, stride, padding, dilation) == ((2, 2), (2, 2), (0, 0), (1, 1))


def pool(x: Tensor) -> Tensor:
    """Return the maximum of each window, (B, C, h / 2, w / 2)."""
    a, b, c, d = split_windows(x)
    return torch.maximum(torch.maximum(a, b), torch.maximum(c, d))


def make_unpool(x: Tensor, y: Tensor, dtype: torch.dtype) -> "Unpool2x2":
    """Return the step from `y`, the pooled `x`, back to `x`; the first of equals wins."""
    shares: list[Tensor] = []
    is_free = torch.ones_like(y, dtype=torch.bool)
    threshold = y - y.abs() * _TIE_TOLERANCE.get(y.dtype, 0)
    for pixel in split_windows(x):
        wins = (pixel >= threshold) & is_free
        is_free &= ~wins
        shares.append(wins.to(dtype))
    return Unpool2x2(tuple(shares))


@dataclass(frozen=True, eq=False)
class Unpool2x2(Unpool):
    """P_in = share ⊙ P_out at each of the four pixels of a window."""

    shares: tuple[Tensor, ...]  # four of (B, C, h/2, w/2), row by row; zero but at the winner

    def __call__(self, P: Tensor) -> Tensor:
        *count, height, width = P.shape
        # Channels last, like everything between convolutions.
        below = P.new_empty(*count[:2], 2 * height, 2 * width, count[2]).movedim(-1, 2)
        for share, pixel in zip(self.shares, split_windows(below), strict=True):
            torch.mul(P, share[:, None], out=pixel)
        return below

    def fuse_scale(self, factor: Tensor) -> Unpool:
        pairs = zip(self.shares, split_windows(factor), strict=True)
        return Unpool2x2(tuple(share.mul_(pixel) for share, pixel in pairs))

    def fuse(self, above: Step) -> Step | None:
        if not isinstance(above, Scale):
            return None
        return Unpool2x2(tuple(share.mul_(above.factor) for share in self.shares))


def split_windows(maps: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the four pixels of every 2 × 2 window of (..., h, w), row by row, as views."""
    top: Tensor = maps[..., ::2, :]
    bottom: Tensor = maps[..., 1::2, :]
    return top[..., ::2], top[..., 1::2], bottom[..., ::2], bottom[..., 1::2]
