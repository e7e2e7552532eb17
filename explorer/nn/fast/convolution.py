"""The convolutions W, W⁺ and W⁺ᵀ of a layer, each computed in the fastest known way.

The results are those of `torch.nn.functional.conv2d` and of its transpose. Three things make them
faster: W⁺ᵀ is computed as a convolution with the flipped kernel, wide layers use Winograd's
algorithm, and weights are converted once for all photos.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torch.nn.grad import conv2d_input

from explorer.nn.fast import winograd

T = TypeVar("T")

_MAX_AMPLIFICATION = 16.0  # of activation / normaliser, up to which Winograd is accurate enough


@dataclass(frozen=True, eq=False)
class FastConvolution:
    """A convolution, with its weights W and W⁺ kept in every form that a photo has needed.

    Attributes
    ----------
    weight : Tensor
        (O, I / groups, h, w), signed.
    options : dict
        ``stride``, ``padding``, ``dilation`` and ``groups``, as `torch.nn.functional.conv2d` takes
        them.
    extra : tuple of int
        Additional rows and columns of zeros at the bottom and on the right, which
        ``padding="same"`` needs for kernels of even size.
    """

    weight: Tensor
    options: dict[str, Any]
    extra: tuple[int, int] = (0, 0)
    _forms: dict[tuple[str, torch.dtype], Any] = field(default_factory=dict)

    @classmethod
    def from_layer(cls, layer: nn.Conv2d) -> "FastConvolution":
        """Return the convolution of a layer that pads with zeros, without its bias."""
        extra, padding = (0, 0), layer.padding
        if padding == "same":
            spread = [d * (k - 1) for d, k in zip(layer.dilation, layer.kernel_size, strict=True)]
            extra, padding = (spread[0] % 2, spread[1] % 2), (spread[0] // 2, spread[1] // 2)
        elif padding == "valid":
            padding = (0, 0)
        options = {name: getattr(layer, name) for name in ("stride", "dilation", "groups")}
        return cls(layer.weight, {**options, "padding": padding}, extra)

    def apply(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        """Return W ∗ x + bias, (N, O, h', w'), of `x`, (N, I, h, w), signed."""
        bias = None if bias is None else bias.to(x.dtype)
        if not (self._fits_winograd and winograd.is_faster(self.weight, x)):
            return F.conv2d(self._pad(x), self._get_signed(x.dtype), bias, **self.options)
        y = winograd.convolve(x, self._get_filters(x.dtype))
        return y if bias is None else y.add_(bias[:, None, None])

    def apply_positive(self, a: Tensor) -> Tensor:
        """Return W⁺ ∗ a, (N, O, h', w'), of `a`, (N, I, h, w), >= 0."""
        return F.conv2d(self._pad(a), self._get_positive(a.dtype), **self.options)

    def plan_transpose(self, a: Tensor, y: Tensor, inverse: Tensor) -> Callable[[Tensor], Tensor]:
        """Return W⁺ᵀ as a function from (N, O, h', w') to (N, I, h, w).

        Parameters
        ----------
        a, y, inverse : Tensor
            The layer's input and output for this photo, and its inverse normalisers. Winograd's
            algorithm is used only if they keep its rounding error small.
        """
        height, width = a.shape[2:]
        transpose = self._choose_transpose(self._pad(a), y, inverse)
        return lambda Q: transpose(Q)[..., :height, :width]  # crops the padding

    def _choose_transpose(
        self, a: Tensor, y: Tensor, inverse: Tensor
    ) -> Callable[[Tensor], Tensor]:
        dtype = a.dtype
        if not self.can_flip:
            return partial(self._transpose, a.shape[1:], self._get_positive(dtype))
        is_faster = self._fits_winograd and winograd.is_faster(self.weight, a)
        if is_faster and (y * inverse).amax() <= _MAX_AMPLIFICATION:
            return partial(winograd.convolve, filters=self._get_flipped_filters(dtype))
        return partial(F.conv2d, weight=self._get_flipped(dtype), padding=self.flipped_padding)

    @property
    def can_flip(self) -> bool:
        """Whether W⁺ᵀ equals a convolution with the flipped kernel."""
        sides, pads = self.weight.shape[2:], as_pair(self.options["padding"])
        is_dense = self.options["groups"] == 1 and as_pair(self.options["dilation"]) == (1, 1)
        fits = all(side > pad for side, pad in zip(sides, pads, strict=True))
        return is_dense and fits and as_pair(self.options["stride"]) == (1, 1)

    @property
    def flipped_padding(self) -> list[int]:
        """Padding of the convolution with the flipped kernel, where it `can_flip`."""
        pads = as_pair(self.options["padding"])
        return [side - 1 - pad for side, pad in zip(self.weight.shape[2:], pads, strict=True)]

    @property
    def _fits_winograd(self) -> bool:
        is_3_by_3 = self.weight.shape[2:] == (3, 3)
        return is_3_by_3 and self.can_flip and self.flipped_padding == [1, 1]

    def _pad(self, x: Tensor) -> Tensor:
        return F.pad(x, (0, self.extra[1], 0, self.extra[0])) if any(self.extra) else x

    def _transpose(self, size: torch.Size, weight: Tensor, Q: Tensor) -> Tensor:
        P_in: Tensor = conv2d_input([len(Q), *size], weight, Q, **self.options)
        return P_in

    # Each form of the weights is computed when it is first needed, and kept for the next photo.

    def _get_signed(self, dtype: torch.dtype) -> Tensor:
        return self._get("W", dtype, lambda: _convert(self._detached.to(dtype)))

    def _get_positive(self, dtype: torch.dtype) -> Tensor:
        return self._get("W⁺", dtype, lambda: _convert(self._positive.to(dtype)))

    def _get_flipped(self, dtype: torch.dtype) -> Tensor:
        return self._get("flipped W⁺", dtype, lambda: _convert(self._flip().to(dtype)))

    def _get_filters(self, dtype: torch.dtype) -> winograd.Filters:
        return self._get("filters of W", dtype, lambda: winograd.Filters(self._detached, dtype))

    def _get_flipped_filters(self, dtype: torch.dtype) -> winograd.Filters:
        return self._get(
            "filters of flipped W⁺", dtype, lambda: winograd.Filters(self._flip(), dtype)
        )

    @property
    def _detached(self) -> Tensor:
        return self.weight.detach()

    @property
    def _positive(self) -> Tensor:
        return self._detached.clamp(min=0)

    def _flip(self) -> Tensor:
        return self._positive.flip(2, 3).transpose(0, 1)

    def _get(self, form: str, dtype: torch.dtype, compute: Callable[[], T]) -> T:
        if (form, dtype) not in self._forms:
            self._forms[form, dtype] = compute()
        weights: T = self._forms[form, dtype]
        return weights


def as_pair(value: int | Sequence[int]) -> tuple[int, int]:
    """Return the value for rows and the value for columns."""
    return (value, value) if isinstance(value, int) else (value[0], value[1])


def _convert(weight: Tensor) -> Tensor:
    return weight.contiguous(memory_format=torch.channels_last)
