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

from explorer.nn.fast import onednn

_OUTPUTS = 4
_TILE = 6
_STRIP_BYTES = 2**19  # of a strip's input or output; its tiles take 2.25 times as much
_FILTERS_AT_ONCE = 2**15  # which are transformed while they stay in the cache
_MIN_WIDTH = {torch.float64: 20, torch.float32: 10, torch.bfloat16: 10}
_MIN_CHANNELS = {torch.float64: 32, torch.float32: 128, torch.bfloat16: 128}
_NEAR, _FAR = 0.5**0.5, 2**0.5
_FILTER = (
    (1, 0, 0),
    (-2 / 3 * _NEAR, -1 / 3, -1 / 3 * _NEAR),
    (-2 / 3 * _NEAR, 1 / 3, -1 / 3 * _NEAR),
    (1 / 3, _FAR / 3, 2 / 3),
    (1 / 3, -_FAR / 3, 2 / 3),
    (0, 0, 1),
)


def is_faster(weight: Tensor, maps: Tensor) -> bool:
    """Return whether `convolve` is faster than PyTorch's convolution of `maps`, (N, C, h, w)."""
    outputs, inputs, *size = weight.shape
    if size != [3, 3] or maps.device.type != "cpu" or maps.dtype not in _MIN_WIDTH:
        return False
    has_channels = min(outputs, inputs) >= _MIN_CHANNELS[maps.dtype]
    return has_channels and maps.numel() > 0 and maps.shape[3] >= _MIN_WIDTH[maps.dtype]


class Filters:
    """The 36 filters of a layer, one for each point of a tile.

    Parameters
    ----------
    weight : Tensor
        (O, I, 3, 3), signed: the layer's own.
    dtype : torch.dtype
        Of the maps: float64, float32 or bfloat16.
    """

    def __init__(self, weight: Tensor, dtype: torch.dtype) -> None:
        self.outputs, inputs = weight.shape[:2]
        self._matrices: Tensor | onednn.PackedMatrices
        if onednn.is_available(dtype, weight.device):
            self._matrices = onednn.PackedMatrices(
                lambda: transform_weight(weight, dtype), _TILE**2, inputs, self.outputs
            )
        else:
            self._matrices = transform_weight(weight, dtype)

    def allocate(self, like: Tensor, *size: int) -> Tensor:
        """Return memory for the points of tiles, (6, 6, *size), in the layout of `multiply`."""
        if isinstance(self._matrices, Tensor):
            return like.new_empty(_TILE, _TILE, *size)
        return _put_points_first(like.new_empty(*size[:-1], _TILE, _TILE, size[-1]))

    def multiply(self, tiles: Tensor) -> Tensor:
        """Multiply each point of `tiles`, (6, 6, n, rows, tiles, I), by its filter.

        Returns
        -------
        Tensor
            (6, 6, n, rows, tiles, O).
        """
        inputs = tiles.shape[-1]
        if isinstance(self._matrices, Tensor):
            products = torch.bmm(tiles.view(_TILE**2, -1, inputs), self._matrices.mT)
            return products.view(*tiles.shape[:-1], self.outputs)
        points_last = tiles.permute(2, 3, 4, 0, 1, 5)
        products = self._matrices.multiply(points_last.view(-1, _TILE**2, inputs))
        return _put_points_first(products.view(*points_last.shape[:-1], self.outputs))


def _put_points_first(tiles: Tensor) -> Tensor:
    return tiles.permute(3, 4, 0, 1, 2, 5)


def transform_weight(weight: Tensor, dtype: torch.dtype) -> Tensor:
    """Transform `weight`, (O, I, 3, 3), in float64 into 36 filters, (36, O, I) in `dtype`."""
    points = torch.tensor(_FILTER, dtype=torch.float64, device=weight.device)
    both_axes = torch.kron(points, points)
    pixels = weight.permute(3, 2, 0, 1).reshape(9, -1)  # columns first
    filters = weight.new_empty((_TILE**2, pixels.shape[1]), dtype=dtype)
    for part, out in zip(
        pixels.split(_FILTERS_AT_ONCE, 1), filters.split(_FILTERS_AT_ONCE, 1), strict=True
    ):
        out.copy_(both_axes @ part.double())
    return filters.view(_TILE**2, *weight.shape[:2])


def convolve(x: Tensor, filters: Filters) -> Tensor:
    """Convolve maps with transformed filters, with stride 1 and padding 1.

    Parameters
    ----------
    x : Tensor
        (N, I, h, w), float64, float32 or bfloat16, signed; fastest in channels-last layout.
    filters : Filters
        Made for this dtype.

    Returns
    -------
    Tensor
        (N, O, h, w), signed, in channels-last layout.
    """
    count, inputs, height, width = x.shape
    outputs, rows, columns = filters.outputs, _count_tiles(height), _count_tiles(width)
    bottom, right = _OUTPUTS * rows - height, _OUTPUTS * columns - width
    maps = F.pad(x.permute(0, 2, 3, 1), (0, 0, 1, right + 1, 1, bottom + 1))
    y = x.new_empty((count, rows, _OUTPUTS, columns, _OUTPUTS, outputs))
    row_size = columns * max(inputs, outputs) * x.itemsize
    for images, strip in _split_into_strips(count, rows, row_size):
        pixels = maps[images, _OUTPUTS * strip.start : _OUTPUTS * strip.stop + 2]
        tile_rows = strip.stop - strip.start
        tiles = filters.allocate(x, len(pixels), tile_rows, columns, inputs)
        _transform_input(pixels, tiles)
        _transform_output(filters.multiply(tiles), y[images, strip])
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


def _transform_input(strip: Tensor, tiles: Tensor) -> None:
    """Fill `tiles`, (6, 6, n, rows, tiles, I), columns first, from the pixels of each tile."""
    count, _, width, channels = strip.shape
    down, across = tiles.shape[3:5]
    rows = strip.new_empty((_TILE, count, down, width, channels))
    pixels = [strip[:, j : j + _OUTPUTS * down - 3 : _OUTPUTS] for j in range(_TILE)]
    _transform_input_axis(pixels, rows)
    pixels = [rows[..., j : j + _OUTPUTS * across - 3 : _OUTPUTS, :] for j in range(_TILE)]
    _transform_input_axis(pixels, tiles)


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
    """Fill `out` with four outputs of six products, some of which are overwritten."""
    near, far = m[1] + m[2], m[3] + m[4]
    near_odd, far_odd = m[1].sub_(m[2]), m[3].sub_(m[4])
    torch.add(m[0], near, alpha=_FAR, out=out[0]).add_(far, alpha=0.5)
    torch.add(near_odd, far_odd, alpha=_NEAR, out=out[1])
    torch.add(far, near, alpha=_NEAR, out=out[2])
    torch.add(m[5], near_odd, alpha=0.5, out=out[3]).add_(far_odd, alpha=_FAR)
