"""Where to compute."""

import torch

from explorer.config import ExplorerError


def choose_device(name: str) -> torch.device:
    """Return the device called `name`; ``auto`` is CUDA, then MPS, then the CPU.

    Raises
    ------
    ExplorerError
        When there is no such device on this machine.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ExplorerError(
            f"Cannot compute on {name!r} here. Use auto, cpu, cuda, cuda:1 or mps."
        ) from error
    return device


def list_devices() -> dict[str, str]:
    """List the devices of this machine, the fastest first: name for `choose_device` to words."""
    cuda = {
        f"cuda:{index}": torch.cuda.get_device_name(index)
        for index in range(torch.cuda.device_count())
    }
    mps = {"mps": "Apple GPU"} if torch.backends.mps.is_available() else {}
    return {**cuda, **mps, "cpu": "CPU"}
