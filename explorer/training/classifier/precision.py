"""The floating-point precision of fine-tuning."""

import contextlib
from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn

from explorer.config import ExplorerError
from explorer.nn.devices import has_bfloat16

AUTO = "auto"
_DTYPES = {"full": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
PRECISIONS = (AUTO, *_DTYPES)
"""``auto`` is mixed precision with bfloat16 on devices that compute with it, with float16 on other
CUDA devices, and ``full`` elsewhere. Weights, gradients and optimiser state are always float32."""


def check_precision(name: str) -> None:
    """Raise `ExplorerError` if `name` is not in `PRECISIONS`."""
    if name not in PRECISIONS:
        raise ExplorerError(f"Unknown precision {name!r}. Choose one of: {', '.join(PRECISIONS)}.")


class Precision:
    """A precision on a device.

    Parameters
    ----------
    name : str
        One of `PRECISIONS`.
    device : torch.device
        Device to train on.

    Attributes
    ----------
    name : str
        Actual precision; never ``auto``.
    device : torch.device
        Device to train on.
    scaler : torch.amp.GradScaler
        Keeps small gradients from underflowing in float16; disabled for other precisions.
    """

    def __init__(self, name: str, device: torch.device) -> None:
        check_precision(name)
        self.name = _choose(device) if name == AUTO else name
        self.device = device
        self._dtype = _DTYPES[self.name]
        self.scaler = torch.amp.GradScaler(device.type, enabled=self._dtype == torch.float16)

    def autocast(self) -> AbstractContextManager[object]:
        """Return the context for a forward pass."""
        if self._dtype == torch.float32:
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, self._dtype)

    def arrange(self, network: nn.Module) -> nn.Module:
        """Arrange the weights of a network for this precision, in place; return the network.

        In reduced precision, convolutions are several times as fast on a processor if the channels
        of a pixel are neighbours in memory.
        """
        return network.to(memory_format=self._layout)  # type: ignore[call-overload, no-any-return]

    def arrange_images(self, images: Tensor) -> Tensor:
        """Arrange a batch (B, C, H, W) as `arrange` does; other shapes are returned as they are."""
        return images.to(memory_format=self._layout) if images.ndim == 4 else images

    @property
    def _layout(self) -> torch.memory_format:
        is_plain = self._dtype == torch.float32 or self.device.type == "cuda"
        return torch.contiguous_format if is_plain else torch.channels_last

    def step(self, loss: torch.Tensor, optimiser: torch.optim.Optimizer) -> bool:
        """Take an optimiser step on `loss`, and return whether it was taken.

        In float16, a step whose gradients overflow is skipped, and the scale is reduced.
        """
        optimiser.zero_grad()
        scale = self.scaler.get_scale()
        self.scaler.scale(loss).backward()
        self.scaler.step(optimiser)
        self.scaler.update()
        return self.scaler.get_scale() >= scale


def _choose(device: torch.device) -> str:
    if device.type == "cpu":
        return "bfloat16" if has_bfloat16() else "full"
    if device.type != "cuda":
        return "full"
    # Older cards only emulate bfloat16, which is slower than float16.
    with torch.cuda.device(device):
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float16"
