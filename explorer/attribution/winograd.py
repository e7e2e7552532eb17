"""3 × 3 convolutions with half the multiplications: Winograd's minimal filtering along rows.

Lavin & Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016, arXiv 1509.09308:
F(4, 3), four outputs of a filter of three from six products instead of twelve, with the points
0, ±1, ±2 and ∞. It is applied to the filter's columns alone; its three rows are summed by the
library's own 3 × 1 convolution, which works at the processor's peak. Two dimensions would save
four times as many multiplications, but move more memory and round three times as coarsely.

What is rounded is relative to the largest of six neighbours in a row, not to the sum itself: a sum
beside one that is a million times as large has no correct digit left.
"""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

_OUTPUTS = 4
_LEAST_WIDTH = 20  # narrower maps gain nothing
_LEAST_CHANNELS = 128  # of input and output together with the other at least half of it
_FILTER = (
    (1 / 4, 0, 0),
    (-1 / 6, -1 / 6, -1 / 6),
    (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6),
    (1 / 24, -1 / 12, 1 / 6),
    (0, 0, 1),
)


def pays(weight: Tensor, maps: Tensor) -> bool:
    """Say whether `convolve` is faster than the library's convolution, (N, C, h, w) `maps`."""
    outputs, inputs, *size = weight.shape
    is_large = max(outputs, inputs) >= _LEAST_CHANNELS <= 2 * min(outputs, inputs)
    is_wide = maps.numel() > 0 and maps.shape[3] >= _LEAST_WIDTH
    is_known = maps.device.type == "cpu" and maps.dtype in (torch.float32, torch.bfloat16)
    return size == [3, 3] and is_large and is_wide and is_known


def transform_weight(weight: Tensor) -> tuple[Tensor, ...]:
    """Return the six filters, each (O, I, 3, 1), that stand for `weight`, (O, I, 3, 3)."""
    points = torch.tensor(_FILTER, dtype=torch.float64)
    filters = torch.einsum("px,oiyx->poiy", points, weight.double()).to(weight.dtype)
    return tuple(f[..., None].contiguous(memory_format=torch.channels_last) for f in filters)


def convolve(x: Tensor, filters: tuple[Tensor, ...]) -> Tensor:
    """Convolve maps with transformed filters, stride 1, one zero around.

    Parameters
    ----------
    x : Tensor
        (N, I, h, w), float32 or bfloat16, signed, best in channels-last memory.
    filters : tuple of Tensor
        What `transform_weight` returned.

    Returns
    -------
    Tensor
        (N, O, h, w), signed, in channels-last memory.
    """
    products = [
        F.conv2d(part.permute(0, 3, 1, 2), weight, padding=(1, 0)).permute(0, 2, 3, 1)
        for part, weight in zip(_transform_input(x), filters, strict=True)
    ]
    return _collect(products)[:, :, : x.shape[3]].permute(0, 3, 1, 2)


def _transform_input(x: Tensor) -> Tensor:
    """Return six combinations of each tile's six columns, (6, N, h, tiles, I)."""
    count, channels, height, width = x.shape
    tiles = -(-width // _OUTPUTS)
    rows = F.pad(x.permute(0, 2, 3, 1), (0, 0, 1, _OUTPUTS * tiles + 1 - width))
    d0, d1, d2, d3, d4, d5 = (
        rows[:, :, j : j + _OUTPUTS * (tiles - 1) + 1 : _OUTPUTS] for j in range(6)
    )
    parts = x.new_empty((6, count, height, tiles, channels))
    torch.sub(d4, d2, alpha=5, out=parts[0]).add_(d0, alpha=4)
    torch.sub(d5, d3, alpha=5, out=parts[5]).add_(d1, alpha=4)
    even, odd = torch.sub(d4, d2, alpha=4), torch.sub(d3, d1, alpha=4)
    torch.add(even, odd, out=parts[1])
    torch.sub(even, odd, out=parts[2])
    torch.sub(d4, d2, out=even)
    torch.sub(d3, d1, out=odd)
    torch.add(even, odd, alpha=2, out=parts[3])
    torch.sub(even, odd, alpha=2, out=parts[4])
    return parts


def _collect(products: list[Tensor]) -> Tensor:
    """Return the four outputs of every tile side by side, (N, h, 4 tiles, O)."""
    m0, m1, m2, m3, m4, m5 = products
    count, height, tiles, channels = m0.shape
    y = m0.new_empty((count, height, tiles, _OUTPUTS, channels))
    near, far = m1 + m2, m3 + m4
    near_odd, far_odd = m1.sub_(m2), m3.sub_(m4)
    torch.add(near, far, out=y[:, :, :, 0]).add_(m0)
    torch.add(near_odd, far_odd, alpha=2, out=y[:, :, :, 1])
    torch.add(near, far, alpha=4, out=y[:, :, :, 2])
    torch.add(near_odd, far_odd, alpha=8, out=y[:, :, :, 3]).add_(m5)
    return y.reshape(count, height, tiles * _OUTPUTS, channels)
