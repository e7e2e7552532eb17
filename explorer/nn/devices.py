"""Where to compute."""

import contextlib
import os
from collections.abc import Iterator

import torch

from explorer.config import ExplorerError


def choose_device(name: str) -> torch.device:
    """Return the device called `name`; ``auto`` is CUDA, then MPS, then the CPU.

    Convolutions of float32 are computed in float32 from here on, for the whole process. By
    default a card rounds what goes into them to ten bits (TF32), after which the c-MWP maps of
    VGG19 are 2 to 3 % wrong.

    Raises
    ------
    ExplorerError
        When there is no such device on this machine.
    """
    torch.backends.cudnn.allow_tf32 = False
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


def resolve_device(name: str) -> str:
    """Return the name in `list_devices` that `name` stands for: ``auto`` is the first of them.

    Raises
    ------
    ExplorerError
        When there is no such device on this machine.
    """
    devices = list_devices()
    if name == "auto":
        return next(iter(devices))
    device = str(choose_device(name))
    return device if device in devices else f"{device}:0"


def get_device_key(name: str) -> str:
    """Name the very card behind a name in `list_devices`, however this process numbers cards."""
    device = torch.device(name)
    if device.type != "cuda":
        return device.type
    return f"cuda-{torch.cuda.get_device_properties(device).uuid}"


def get_free_memory(name: str) -> tuple[int, int] | None:
    """Return free and total bytes of a card in `list_devices`; None for the CPU or where unknown.

    Of an Apple GPU, which shares its memory with all else, it is what this process may still take.
    """
    device = torch.device(name)
    try:
        if device.type == "cuda":
            free, total = torch.cuda.mem_get_info(device)
            return int(free), int(total)
        if device.type == "mps":
            total = torch.mps.recommended_max_memory()
            return max(0, total - torch.mps.driver_allocated_memory()), total
    except RuntimeError:  # a card that is full or kept by somebody else does not even answer
        return None
    return None


def describe_device(name: str) -> str:
    """Say in words what a device in `list_devices` is, and how much of its memory is free."""
    words = list_devices()[name]
    memory = get_free_memory(name)
    if memory is not None:
        free, total = (size / 1e9 for size in memory)
        return f"{words}, {free:.1f} of {total:.1f} GB free"
    cores = os.cpu_count()
    return f"{words}, {cores} cores" if name == "cpu" and cores else words


@contextlib.contextmanager
def limit_threads(count: int) -> Iterator[None]:
    """Compute with `count` threads on the CPU: sums are rounded by how many share them."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
