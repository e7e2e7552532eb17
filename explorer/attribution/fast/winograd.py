"""3 × 3 convolutions with a quarter of the multiplications: Winograd's minimal filtering.

Lavin & Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016, arXiv 1509.09308:
F(4 × 4, 3 × 3), sixteen outputs of a filter of nine from 36 products instead of 144, with the
points 0, ±√½, ±√2 and ∞ in both directions, which round half as coarsely as the usual 0, ±1, ±2 and
∞. It moves 2.25 times the memory, and so is taken strip by strip: what a strip needs stays in the
cache.

What is rounded is relative to the largest of the 36 neighbours in a tile, not to the sum itself: a
sum beside one that is a million times as large has no correct digit left in float32.
"""

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

_OUTPUTS = 4
_TILE = 6
_BYTES_IN_CACHE = 2**19  # of a strip's input or output; nine quarters of both are at hand at once
_LEAST_WIDTH = {torch.float64: 20, torch.float32: 10, torch.bfloat16: 10}
_LEAST_CHANNELS = {torch.float64: 32, torch.float32: 128, torch.bfloat16: 128}
_NEAR, _FAR = 0.5**0.5, 2**0.5
_FILTER = (
    (1, 0, 0),
    (-2 / 3, -2 / 3 * _NEAR, -1 / 3),
    (-2 / 3, 2 / 3 * _NEAR, -1 / 3),
    (1 / 6, _FAR / 6, 1 / 3),
    (1 / 6, -_FAR / 6, 1 / 3),
    (0, 0, 2 * _FAR),
)
_SCALES = (1, _NEAR, 1 / 2, _NEAR / 2)  # of the four outputs, which `_sum_up` leaves out


def pays(weight: Tensor, maps: Tensor) -> bool:
    """Say whether `convolve` is faster than the library's convolution, (N, C, h, w) `maps`."""
    outputs, inputs, *size = weight.shape
    if size != [3, 3] or maps.device.type != "cpu" or maps.dtype not in _LEAST_WIDTH:
        return False
    least = _LEAST_CHANNELS[maps.dtype]
    is_large = max(outputs, inputs) >= least <= 2 * min(outputs, inputs)
    return is_large and maps.numel() > 0 and maps.shape[3] >= _LEAST_WIDTH[maps.dtype]


def transform_weight(weight: Tensor) -> Tensor:
    """Return the 36 filters, (36, I, O), that stand for `weight`, (O, I, 3, 3)."""
    points = torch.tensor(_FILTER, dtype=torch.float64)
    filters = torch.einsum("qx,py,oiyx->qpio", points, points, weight.double())
    return filters.to(weight.dtype).flatten(0, 1).contiguous()


def convolve(x: Tensor, filters: Tensor) -> Tensor:
    """Convolve maps with transformed filters, stride 1, one zero around.

    Parameters
    ----------
    x : Tensor
        (N, I, h, w), float64, float32 or bfloat16, signed, best in channels-last memory.
    filters : Tensor
        What `transform_weight` returned, in the same format.

    Returns
    -------
    Tensor
        (N, O, h, w), signed, in channels-last memory.
    """
    count, inputs, height, width = x.shape
    down, across, outputs = -(-height // _OUTPUTS), -(-width // _OUTPUTS), filters.shape[2]
    over = (_OUTPUTS * down - height, _OUTPUTS * across - width)
    maps = F.pad(x.permute(0, 2, 3, 1), (0, 0, 1, over[1] + 1, 1, over[0] + 1))
    y = x.new_empty((count, down, _OUTPUTS, across, _OUTPUTS, outputs))
    line = x.new_tensor(_SCALES)
    scales = line[:, None, None, None] * line[:, None]
    for images, rows in _cut(count, down, across * max(inputs, outputs) * x.itemsize):
        strip = maps[images, _OUTPUTS * rows.start : _OUTPUTS * rows.stop + 2]
        tiles = _transform_input(strip)
        products = torch.bmm(tiles.view(_TILE**2, -1, inputs), filters)
        _collect(products.view(*tiles.shape[:-1], outputs), y[images, rows])
        y[images, rows].mul_(scales)
    y = y.view(count, _OUTPUTS * down, _OUTPUTS * across, outputs)
    return y[:, :height, :width].permute(0, 3, 1, 2)


def _cut(count: int, down: int, size: int) -> Iterator[tuple[slice, slice]]:
    """Yield which images, and which rows of their tiles, of `size` bytes each, are one strip."""
    at_once = max(1, _BYTES_IN_CACHE // size)
    images = max(1, at_once // down)
    for first in range(0, count, images):
        for top in range(0, down, at_once):
            yield slice(first, min(count, first + images)), slice(top, min(down, top + at_once))


def _transform_input(strip: Tensor) -> Tensor:
    """Return 36 combinations of each tile's pixels, (6, 6, n, rows, tiles, I), columns first."""
    count, height, width, channels = strip.shape
    down, across = (height - 2) // _OUTPUTS, (width - 2) // _OUTPUTS
    rows = strip.new_empty((_TILE, count, down, width, channels))
    _combine([strip[:, j : j + _OUTPUTS * down - 3 : _OUTPUTS] for j in range(_TILE)], rows)
    tiles = strip.new_empty((_TILE, _TILE, count, down, across, channels))
    _combine([rows[..., j : j + _OUTPUTS * across - 3 : _OUTPUTS, :] for j in range(_TILE)], tiles)
    return tiles


def _collect(products: Tensor, y: Tensor) -> None:
    """Fill (n, rows, 4, tiles, 4, O), the outputs of each tile, from its 36 products."""
    columns = products.new_empty((_OUTPUTS, *products.shape[1:]))
    _sum_up(products, columns.unbind(0))
    _sum_up(columns.transpose(0, 1), [y[:, :, r].permute(3, 0, 1, 2, 4) for r in range(_OUTPUTS)])


def _combine(d: Sequence[Tensor], out: Tensor) -> None:
    """Fill the six combinations of six neighbours, one for each point."""
    torch.sub(d[4], d[2], alpha=2.5, out=out[0]).add_(d[0])
    torch.sub(d[5], d[3], alpha=2.5, out=out[5]).add_(d[1])
    even, odd = torch.sub(d[4], d[2], alpha=2), torch.sub(d[3], d[1], alpha=2)
    torch.add(even, odd, alpha=_NEAR, out=out[1])
    torch.sub(even, odd, alpha=_NEAR, out=out[2])
    torch.sub(d[4], d[2], alpha=0.5, out=even)
    torch.sub(d[3], d[1], alpha=0.5, out=odd)
    torch.add(even, odd, alpha=_FAR, out=out[3])
    torch.sub(even, odd, alpha=_FAR, out=out[4])


def _sum_up(m: Tensor, out: Sequence[Tensor]) -> None:
    """Fill the four outputs that six products make, over their scales; some are written over."""
    near, far = m[1] + m[2], m[3] + m[4]
    near_odd, far_odd = m[1].sub_(m[2]), m[3].sub_(m[4])
    torch.add(near, far, out=out[0]).add_(m[0])
    torch.add(near_odd, far_odd, alpha=2, out=out[1])
    torch.add(near, far, alpha=4, out=out[2])
    torch.add(near_odd, far_odd, alpha=8, out=out[3]).add_(m[5])
