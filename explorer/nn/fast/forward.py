"""The forward pass of a network on a processor, in float32.

A plain pass of a batch spends a large part of its time on moving activations to and from memory:
those of VGG16's first block take 13 MB a photo and layer. So the photos go through the lower layers
a few at a time, such that activations stay in the caches, and through the upper layers, whose
weights are large, all at once.
"""

import math
from collections.abc import Callable, Sequence
from itertools import groupby

import torch
from torch import Tensor, nn

from explorer.nn.arithmetic import fixed_arithmetic
from explorer.nn.fast.convolution import FastConvolution
from explorer.nn.shapes import list_output_shapes

_CACHE_BYTES = 2**24  # of a layer's output; a processor for servers has twice as much or more
_FLOAT_BYTES = 4


class FastForward:
    """The layers of a network, each computed in the fastest known way on a processor.

    The weights are not copied, except in the forms that `FastConvolution` keeps. Thread-safe.

    Parameters
    ----------
    layers : sequence of nn.Module
        In evaluation mode, in float32, on the CPU.
    shape : tuple of int
        (C, H, W), of an image.
    """

    def __init__(self, layers: Sequence[nn.Module], shape: tuple[int, ...]) -> None:
        self._layers = layers
        self._apply = [_choose(layer) for layer in layers]
        self._photos_at_once = _choose_photos_at_once(
            [*map(math.prod, list_output_shapes(layers, shape))]
        )

    @torch.inference_mode()
    @fixed_arithmetic()
    def run(self, x: Tensor, start: int, stop: int) -> Tensor:
        """Apply the layers from index `start` up to, not including, `stop`.

        Parameters
        ----------
        x : Tensor
            (B, ...), the input of layer `start`; not changed.

        Returns
        -------
        Tensor
            (B, ...), equal to a plain pass up to rounding.
        """
        if x.ndim == 4:
            x = x.contiguous(memory_format=torch.channels_last)
        at_once = self._photos_at_once.__getitem__
        sections = [(photos, [*own]) for photos, own in groupby(range(start, stop), at_once)]
        return self._run(x, sections)

    def _run(self, x: Tensor, sections: Sequence[tuple[int, Sequence[int]]]) -> Tensor:
        """Split `x` for the topmost section; each part is split further for those below."""
        if not sections:
            return x
        *lower, (photos, indices) = sections
        parts = [self._run_at_once(self._run(part, lower), indices) for part in x.split(photos)]
        return torch.cat(parts) if len(parts) > 1 else parts[0]

    def _run_at_once(self, x: Tensor, indices: Sequence[int]) -> Tensor:
        for index in indices:
            # What a convolution has just computed is nobody else's.
            is_own = index > indices[0] and isinstance(self._layers[index - 1], nn.Conv2d)
            is_relu = isinstance(self._layers[index], nn.ReLU)
            x = x.relu_() if is_own and is_relu else self._apply[index](x)
        return x


def _choose(layer: nn.Module) -> Callable[[Tensor], Tensor]:
    if isinstance(layer, nn.Conv2d) and layer.padding_mode == "zeros":
        convolution, bias = FastConvolution.from_layer(layer), layer.bias
        return lambda x: convolution.apply(x, bias)
    return layer


def _choose_photos_at_once(sizes: Sequence[int]) -> list[int]:
    """Choose how many photos go through each layer at once, from the `sizes` of outputs.

    The layers up to the next one that makes the activations smaller, such as a pooling layer, go
    together: all take as many photos as the largest output among them allows, rounded down to a
    power of two, so that the lower layers can share them out evenly.
    """
    at_once: list[int] = []
    section: list[int] = []
    for i, size in enumerate(sizes):
        section.append(size)
        is_last = i + 1 == len(sizes)
        if is_last or (i > 0 and size < sizes[i - 1]):
            photos = max(1, _CACHE_BYTES // (_FLOAT_BYTES * max(section)))
            at_once += [1 << (photos.bit_length() - 1)] * len(section)
            section = []
    return at_once
