"""Computing in the number formats that the code names, whatever PyTorch is set to.

PyTorch has switches that change the arithmetic of code that knows nothing of them: autocast for a
thread, TF32 and bfloat16 products of float32 numbers for the whole process. The functions that
others call compute without any of them. The default dtype and device, which no thread can change
for itself alone, are never relied on: tensors and layers are created with their own.
"""

import contextlib
from collections.abc import Callable, Iterator
from functools import wraps
from threading import Lock
from typing import Any, ParamSpec

import torch

from explorer.config import Steps, T

P = ParamSpec("P")

_AUTOCAST_DEVICES = ("cpu", "cuda", "mps", "xpu")
_backends: Any = torch.backends  # whose switches have no types
# The operations of each backend whose float32 numbers may be rounded before they are multiplied.
_BACKENDS: dict[Any, tuple[Any, ...]] = {
    _backends.cudnn: (_backends.cuda.matmul, _backends.cudnn.conv),
    _backends.mkldnn: (_backends.mkldnn.matmul, _backends.mkldnn.conv),
}
_EXACT, _INHERITED = "ieee", "none"
_REDUCED = ("tf32", "bf16")


def disable_tf32_convolutions() -> None:
    """Compute float32 convolutions of CUDA devices in float32, in the whole process from now on."""
    torch.backends.cudnn.allow_tf32 = False
    # The older switch has no effect where `torch.backends.fp32_precision` has been set. PyTorch
    # refuses to read it unless both operations of cuDNN agree.
    for operation in (_backends.cudnn.conv, _backends.cudnn.rnn):
        operation.fp32_precision = _EXACT


class _ExactProducts(contextlib.AbstractContextManager[None]):
    """Products of float32 numbers are computed in float32 while any thread is inside.

    The switches are the process's, so they are restored when the last thread leaves.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._inside = 0
        self._changed: list[tuple[Any, str]] = []

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            for operation, precision in _list_reduced():
                self._changed.append((operation, precision))
                operation.fp32_precision = _EXACT

    def __exit__(self, *_error: object) -> None:
        with self._lock:
            self._inside -= 1
            while self._changed and not self._inside:
                operation, precision = self._changed.pop()
                operation.fp32_precision = precision


def _list_reduced() -> Iterator[tuple[Any, str]]:
    """Yield the operations that round, and how to switch each of them back."""
    for backend, operations in _BACKENDS.items():
        for operation in operations:
            precision = operation.fp32_precision
            if precision in _REDUCED:
                is_own = precision != backend.fp32_precision
                yield operation, precision if is_own else _INHERITED


_EXACT_PRODUCTS = _ExactProducts()


@contextlib.contextmanager
def fixed_arithmetic() -> Iterator[None]:
    """Compute in the dtypes of the tensors: without autocast, TF32 or bfloat16 products.

    A context manager and a decorator, which nests, and which threads can use at once.
    """
    with contextlib.ExitStack() as stack:
        for device in _AUTOCAST_DEVICES:
            if torch.is_autocast_enabled(device):
                # Only leaving the outermost autocast empties the cache of converted weights: a
                # mixed-precision training in here would go on with those of its first step.
                stack.enter_context(torch.autocast(device, enabled=False, cache_enabled=False))
        stack.enter_context(_EXACT_PRODUCTS)
        yield


def train_in_fixed_arithmetic(
    function: Callable[P, Steps[T]],
) -> Callable[P, Steps[T]]:
    """Decorate a training with `fixed_arithmetic`, with gradients, in its steps alone.

    Between two steps, PyTorch is as the caller has set it.
    """

    @wraps(function)
    def train(*args: P.args, **kwargs: P.kwargs) -> Steps[T]:
        with contextlib.closing(function(*args, **kwargs)) as steps:
            while True:
                with fixed_arithmetic(), torch.inference_mode(False), torch.enable_grad():
                    try:
                        progress = next(steps)
                    except StopIteration as end:
                        result: T = end.value
                        return result
                yield progress

    return train
