"""PyTorch's switches that change the arithmetic of code that knows nothing of them."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any

import torch

Switch = Callable[[], AbstractContextManager[object]]


@contextmanager
def use_default_dtype(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


BACKENDS: Any = torch.backends
PRODUCTS = (
    BACKENDS.cuda.matmul,
    BACKENDS.cudnn.conv,
    BACKENDS.cudnn.rnn,
    BACKENDS.mkldnn.matmul,
    BACKENDS.mkldnn.conv,
)


@contextmanager
def use_products(precision: str) -> Iterator[None]:
    """Round float32 numbers before they are multiplied, where the device can."""
    before = [operation.fp32_precision for operation in PRODUCTS]
    BACKENDS.fp32_precision = precision
    try:
        yield
    finally:
        BACKENDS.fp32_precision = "none"
        for operation, own in zip(PRODUCTS, before, strict=True):
            operation.fp32_precision = own


@contextmanager
def use_fast_products() -> Iterator[None]:
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


@contextmanager
def use_deterministic_algorithms() -> Iterator[None]:
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


@contextmanager
def flush_denormal_numbers() -> Iterator[None]:
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


SWITCHES: dict[str, Switch] = {
    "autocast bfloat16": partial(torch.autocast, "cpu", torch.bfloat16),
    "autocast float16": partial(torch.autocast, "cpu", torch.float16),
    "default float64": partial(use_default_dtype, torch.float64),
    "default float16": partial(use_default_dtype, torch.float16),
    "bfloat16 products": partial(use_products, "bf16"),
    "TF32 products": partial(use_products, "tf32"),
    "fast products": use_fast_products,
    "deterministic": use_deterministic_algorithms,
    "no denormal numbers": flush_denormal_numbers,
    "inference mode": torch.inference_mode,
    "no gradients": torch.no_grad,
    "gradients": torch.enable_grad,
}
