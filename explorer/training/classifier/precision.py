"""In which precision a network is trained."""

import contextlib
from contextlib import AbstractContextManager

import torch

from explorer.config import ExplorerError

AUTO = "auto"
_DTYPES = {"full": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
PRECISIONS = (AUTO, *_DTYPES)
"""``auto`` mixes in bfloat16 on a CUDA device that computes in it, or else float16, and is ``full``
everywhere else. Weights, their gradients and the optimiser's state are float32 in all of them."""


def check_precision(name: str) -> None:
    """Raise `ExplorerError` where `name` is not in `PRECISIONS`."""
    if name not in PRECISIONS:
        raise ExplorerError(f"Unknown precision {name!r}. Choose one of: {', '.join(PRECISIONS)}.")


class Precision:
    """A precision on a device.

    Parameters
    ----------
    name : str
        One of `PRECISIONS`.
    device : torch.device
        Where to compute.

    Attributes
    ----------
    name : str
        What was chosen; never ``auto``.
    scaler : torch.amp.GradScaler
        Keeps small gradients from vanishing in float16, whose exponents are short; does nothing in
        the other precisions.
    """

    def __init__(self, name: str, device: torch.device) -> None:
        check_precision(name)
        self.name = _choose(device) if name == AUTO else name
        self._device = device
        self._dtype = _DTYPES[self.name]
        self.scaler = torch.amp.GradScaler(device.type, enabled=self._dtype == torch.float16)

    def autocast(self) -> AbstractContextManager[object]:
        """Return the context of a forward pass."""
        if self._dtype == torch.float32:
            return contextlib.nullcontext()
        return torch.autocast(self._device.type, self._dtype)

    def step(self, loss: torch.Tensor, optimiser: torch.optim.Optimizer) -> bool:
        """Take one step down the gradient of `loss`; tell whether it was taken.

        In float16 a step whose gradients overflow is left out, and the next one scaled less.
        """
        optimiser.zero_grad()
        scale = self.scaler.get_scale()
        self.scaler.scale(loss).backward()
        self.scaler.step(optimiser)
        self.scaler.update()
        return self.scaler.get_scale() >= scale


def _choose(device: torch.device) -> str:
    if device.type != "cuda":
        return "full"
    # Older cards emulate bfloat16, more slowly than they compute in float16.
    with torch.cuda.device(device):
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float16"
