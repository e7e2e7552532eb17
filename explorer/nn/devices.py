"""Choosing and describing the device to compute on."""

import contextlib
import os
from collections.abc import Iterator

import torch

from explorer.config import ExplorerError
from explorer.nn.arithmetic import disable_tf32_convolutions


def choose_device(name: str) -> torch.device:
    """Return the device called `name`; ``auto`` is CUDA, MPS or the CPU, whichever is available.

    TF32 convolutions are disabled for the whole process. By default, CUDA devices use TF32, which
    rounds inputs to ten bits, and c-MWP maps of VGG19 then have errors of 2 to 3 %. Functions whose
    results are documented disable it by themselves; see `explorer.nn.arithmetic`.

    Raises
    ------
    ExplorerError
        When this machine does not have the device.
    """
    disable_tf32_convolutions()
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
    """List the devices of this machine, the fastest first, as descriptions by name."""
    cuda = {
        f"cuda:{index}": torch.cuda.get_device_name(index)
        for index in range(torch.cuda.device_count())
    }
    mps = {"mps": "Apple GPU"} if torch.backends.mps.is_available() else {}
    return {**cuda, **mps, "cpu": "CPU"}


def resolve_device(name: str) -> str:
    """Return the name in `list_devices` for `name`; ``auto`` is the first of them.

    Raises
    ------
    ExplorerError
        When this machine does not have the device.
    """
    devices = list_devices()
    if name == "auto":
        return next(iter(devices))
    device = str(choose_device(name))
    return device if device in devices else f"{device}:0"


def get_device_key(name: str) -> str:
    """Return a key that identifies a device in `list_devices`, the same in all processes."""
    device = torch.device(name)
    if device.type != "cuda":
        return device.type
    return f"cuda-{torch.cuda.get_device_properties(device).uuid}"


def get_free_memory(name: str) -> tuple[int, int] | None:
    """Return free and total memory of a GPU in `list_devices`, in bytes; None if unknown.

    An Apple GPU shares its memory with the system; its free memory is what this process may use.
    """
    device = torch.device(name)
    try:
        if device.type == "cuda":
            free, total = torch.cuda.mem_get_info(device)
            return int(free), int(total)
        if device.type == "mps":
            total = torch.mps.recommended_max_memory()
            return max(0, total - torch.mps.driver_allocated_memory()), total
    except RuntimeError:  # the GPU is full or reserved by another process
        return None
    return None


def describe_device(name: str) -> str:
    """Describe a device in `list_devices` and its free memory."""
    words = list_devices()[name]
    memory = get_free_memory(name)
    if memory is not None:
        free, total = (size / 1e9 for size in memory)
        return f"{words}, {free:.1f} of {total:.1f} GB free"
    cores = os.cpu_count()
    return f"{words}, {cores} cores" if name == "cpu" and cores else words


def has_bfloat16() -> bool:
    """Return whether the processor multiplies in bfloat16; others emulate it, which is slow."""
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


@contextlib.contextmanager
def limit_threads(count: int) -> Iterator[None]:
    """Use `count` CPU threads in the block; rounding of sums depends on the number of threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
