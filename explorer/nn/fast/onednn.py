"""Products of matrices in float32 by oneDNN, twice as fast as by MKL on some processors.

PyTorch multiplies matrices in float32 with Intel's MKL, which does not use all of other makers'
processors: on two cores of an AMD EPYC with AVX-512 it reaches 200 GFLOP/s, where a convolution,
which oneDNN computes, reaches 490. So many products at once are computed as one convolution whose
kernels have a single pixel, with a group for each product.
"""

from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor

# Inductor's own operations: the public ones would convert the matrices with every call.
_NEEDED = (
    "_convolution_pointwise",
    "_reorder_convolution_weight",
    "_get_mkldnn_serialized_md",
)
_SINGLE_PIXEL = ([0, 0], [1, 1], [1, 1])  # padding, stride and dilation
_LAYOUTS = 256  # shapes of products that are remembered


def is_available(dtype: torch.dtype, device: torch.device) -> bool:
    """Return whether oneDNN computes products in this dtype on this device."""
    is_supported = dtype == torch.float32 and device.type == "cpu"
    has_onednn = torch.backends.mkldnn.is_available()
    return is_supported and has_onednn and all(hasattr(torch.ops.mkldnn, one) for one in _NEEDED)


class PackedMatrices:
    """G matrices W, kept in the layouts in which oneDNN computes x Wᵀ.

    Which layout that is depends on the number of rows of the other matrices and on the number of
    threads. A wrong one would be converted with every call, which takes more than ten times as long
    as the product. Thread-safe.

    Parameters
    ----------
    make : callable
        Returns the matrices, (G, O, I) float32. It is called once for each layout.
    count, inputs, outputs : int
        G, I and O.
    """

    def __init__(self, make: Callable[[], Tensor], count: int, inputs: int, outputs: int) -> None:
        self._make, self._shape = make, (count, inputs, outputs)
        self._packed: dict[bytes, Tensor] = {}

    def multiply(self, rows: Tensor) -> Tensor:
        """Return the products of `rows`, (T, G, I) float32, with each matrix: (T, G, O)."""
        count, inputs, outputs = self._shape
        maps = rows.reshape(1, len(rows), 1, count * inputs).permute(0, 3, 1, 2)
        products: Tensor = torch.ops.mkldnn._convolution_pointwise(
            maps, self._get_packed(len(rows)), None, *_SINGLE_PIXEL, count, "none", [], ""
        )
        return products.permute(0, 2, 3, 1).reshape(len(rows), count, outputs)

    def _get_packed(self, rows: int) -> Tensor:
        layout = _find_layout(*self._shape, rows, torch.get_num_threads())
        if layout not in self._packed:
            kernels = self._make().flatten(0, 1)[:, :, None, None]
            self._packed[layout] = _pack(kernels, self._shape[0], rows)
        return self._packed[layout]


@lru_cache(maxsize=_LAYOUTS)
def _find_layout(count: int, inputs: int, outputs: int, rows: int, threads: int) -> bytes:  # noqa: ARG001
    """Return a description of the layout that oneDNN chooses for these numbers."""
    packed = _pack(torch.empty(count * outputs, inputs, 1, 1), count, rows)
    description: Tensor = torch.ops.mkldnn._get_mkldnn_serialized_md(packed)
    return bytes(description.numpy())


def _pack(kernels: Tensor, count: int, rows: int) -> Tensor:
    size = [1, count * kernels.shape[1], rows, 1]
    packed: Tensor = torch.ops.mkldnn._reorder_convolution_weight(
        kernels, *_SINGLE_PIXEL, count, size
    )
    return packed
