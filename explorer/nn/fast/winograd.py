"""3 × 3 convolutions with a quarter of the multiplications: Winograd's minimal filtering.

Lavin & Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016, arXiv 1509.09308:
F(4 × 4, 3 × 3) computes sixteen outputs of a 3 × 3 filter from 36 products instead of 144. With the
points 0, ±√½, ±√2 and ∞ in both directions, the rounding error is half that of the usual 0, ±1, ±2
and ∞. Memory traffic is 2.25 times that of a plain convolution, so maps are processed in strips
that stay in the cache.

The rounding error is relative to the largest of the 36 pixels in a tile, not to the sum itself: in
float32, a sum beside one that is a million times larger has no correct digit.
"""

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

_OUTPUTS = 4
_TILE = 6
_STRIP_BYTES = 2**18  # of a strip's input or output; its tiles take 2.25 times as much
_MIN_WIDTH = {torch.float64: 20, torch.float32: 10, torch.bfloat16: 10}
_MIN_CHANNELS = {torch.float64: 32, torch.float32: 128, torch.bfloat16: 128}
_NEAR, _FAR = 0.5**0.5, 2**0.5
_FILTER = (
    (1, 0, 0),
    (-2 / 3, -2 / 3 * _NEAR, -1 / 3),
    (-2 / 3, 2 / 3 * _NEAR, -1 / 3),
    (1 / 6, _FAR / 6, 1 / 3),
    (1 / 6, -_FAR / 6, 1 / 3),
    (0, 0, 2 * _FAR),
)
_SCALES = (1, _NEAR, 1 / 2, _NEAR / 2)  # of the four outputs of `_transform_output_axis`


def is_faster(weight: Tensor, maps: Tensor) -> bool:
    """Return whether `convolve` is faster than PyTorch's convolution of `maps`, (N, C, h, w)."""
    outputs, inputs, *size = weight.shape
    if size != [3, 3] or maps.device.type != "cpu" or maps.dtype not in _MIN_WIDTH:
        return False
    wide, narrow = max(outputs, inputs), min(outputs, inputs)
    has_channels = wide >= _MIN_CHANNELS[maps.dtype] and 2 * narrow >= _MIN_CHANNELS[maps.dtype]
    return has_channels and maps.numel() > 0 and maps.shape[3] >= _MIN_WIDTH[maps.dtype]


def transform_weight(weight: Tensor) -> Tensor:
    """Transform `weight`, (O, I, 3, 3), into 36 filters, (36, I, O)."""
    points = torch.tensor(_FILTER, dtype=torch.float64, device=weight.device)
    filters = torch.einsum("qx,py,oiyx->qpio", points, points, weight.double())
    return filters.to(weight.dtype).flatten(0, 1).contiguous()


def convolve(x: Tensor, filters: Tensor) -> Tensor:
    """Convolve maps with transformed filters, with stride 1 and padding 1.

    Parameters
    ----------
    x : Tensor
        (N, I, h, w), float64, float32 or bfloat16, signed; fastest in channels-last layout.
    filters : Tensor
        From `transform_weight`, in the same dtype.

    Returns
    -------
    Tensor
        (N, O, h, w), signed, in channels-last layout.
    """
    count, inputs, height, width = x.shape
    outputs, rows, columns = filters.shape[2], _count_tiles(height), _count_tiles(width)
    bottom, right = _OUTPUTS * rows - height, _OUTPUTS * columns - width
    maps = F.pad(x.permute(0, 2, 3, 1), (0, 0, 1, right + 1, 1, bottom + 1))
    y = x.new_empty((count, rows, _OUTPUTS, columns, _OUTPUTS, outputs))
    scales = x.new_tensor(_SCALES)
    scales = scales[:, None, None, None] * scales[:, None]
    row_size = columns * max(inputs, outputs) * x.itemsize
    for images, strip in _split_into_strips(count, rows, row_size):
        tiles = _transform_input(maps[images, _OUTPUTS * strip.start : _OUTPUTS * strip.stop + 2])
        products = torch.bmm(tiles.view(_TILE**2, -1, inputs), filters)
        _transform_output(products.view(*tiles.shape[:-1], outputs), y[images, strip])
        y[images, strip].mul_(scales)
    y = y.view(count, _OUTPUTS * rows, _OUTPUTS * columns, outputs)
    return y[:, :height, :width].permute(0, 3, 1, 2)


def _count_tiles(length: int) -> int:
    return -(-length // _OUTPUTS)


def _split_into_strips(count: int, rows: int, row_size: int) -> Iterator[tuple[slice, slice]]:
    """Yield the images and the rows of tiles, of `row_size` bytes each, that form each strip."""
    rows_at_once = max(1, _STRIP_BYTES // row_size)
    images_at_once = max(1, rows_at_once // rows)
    for image in range(0, count, images_at_once):
        for row in range(0, rows, rows_at_once):
            yield (
                slice(image, min(count, image + images_at_once)),
                slice(row, min(rows, row + rows_at_once)),
            )


def _transform_input(strip: Tensor) -> Tensor:
    """Return 36 combinations of each tile's pixels, (6, 6, n, rows, tiles, I), columns first."""
    count, height, width, channels = strip.shape
    down, across = (height - 2) // _OUTPUTS, (width - 2) // _OUTPUTS
    rows = strip.new_empty((_TILE, count, down, width, channels))
    pixels = [strip[:, j : j + _OUTPUTS * down - 3 : _OUTPUTS] for j in range(_TILE)]
    _transform_input_axis(pixels, rows)
    tiles = strip.new_empty((_TILE, _TILE, count, down, across, channels))
    pixels = [rows[..., j : j + _OUTPUTS * across - 3 : _OUTPUTS, :] for j in range(_TILE)]
    _transform_input_axis(pixels, tiles)
    return tiles


def _transform_output(products: Tensor, y: Tensor) -> None:
    """Fill `y`, (n, rows, 4, tiles, 4, O), the outputs of each tile, from its 36 products."""
    columns = products.new_empty((_OUTPUTS, *products.shape[1:]))
    _transform_output_axis(products, columns.unbind(0))
    rows = [y[:, :, row].permute(3, 0, 1, 2, 4) for row in range(_OUTPUTS)]
    _transform_output_axis(columns.transpose(0, 1), rows)


def _transform_input_axis(d: Sequence[Tensor], out: Tensor) -> None:
    """Fill `out` with the six combinations of six neighbouring pixels, one for each point."""
    torch.sub(d[4], d[2], alpha=2.5, out=out[0]).add_(d[0])
    torch.sub(d[5], d[3], alpha=2.5, out=out[5]).add_(d[1])
    even, odd = torch.sub(d[4], d[2], alpha=2), torch.sub(d[3], d[1], alpha=2)
    torch.add(even, odd, alpha=_NEAR, out=out[1])
    torch.sub(even, odd, alpha=_NEAR, out=out[2])
    torch.sub(d[4], d[2], alpha=0.5, out=even)
    torch.sub(d[3], d[1], alpha=0.5, out=odd)
    torch.add(even, odd, alpha=_FAR, out=out[3])
    torch.sub(even, odd, alpha=_FAR, out=out[4])


def _transform_output_axis(m: Tensor, out: Sequence[Tensor]) -> None:
    """Fill `out` with four outputs, over their `_SCALES`, of six products, some overwritten."""
    near, far = m[1] + m[2], m[3] + m[4]
    near_odd, far_odd = m[1].sub_(m[2]), m[3].sub_(m[4])
    torch.add(near, far, out=out[0]).add_(m[0])
    torch.add(near_odd, far_odd, alpha=2, out=out[1])
    torch.add(near, far, alpha=4, out=out[2])
    torch.add(near_odd, far_odd, alpha=8, out=out[3]).add_(m[5])
