from collections.abc import Generator, Iterator
from threading import Barrier, Thread

import pytest
import torch
from switches import BACKENDS, PRODUCTS, use_products

from explorer.config import Progress
from explorer.nn.arithmetic import fixed_arithmetic, train_in_fixed_arithmetic


def read_precisions() -> list[str]:
    return [operation.fp32_precision for operation in PRODUCTS]


def is_anything_rounded() -> bool:
    used = [operation for operation in PRODUCTS if operation is not BACKENDS.cudnn.rnn]
    return any(operation.fp32_precision in ("tf32", "bf16") for operation in used)


def set_precisions(precisions: list[str]) -> None:
    for operation, precision in zip(PRODUCTS, precisions, strict=True):
        operation.fp32_precision = precision


@pytest.fixture
def fast_products() -> Iterator[list[str]]:
    """Let float32 numbers be rounded before they are multiplied; return the switches."""
    before = read_precisions()
    set_precisions(["tf32", "tf32", "tf32", "bf16", "bf16"])
    yield read_precisions()
    set_precisions(before)


def test_every_switch_is_off_inside_and_back_afterwards(fast_products: list[str]) -> None:
    x = torch.ones(2, 2)
    with torch.autocast("cpu", torch.bfloat16):
        with fixed_arithmetic(), fixed_arithmetic():
            assert (x @ x).dtype == torch.float32
            assert not is_anything_rounded()
        assert (x @ x).dtype == torch.bfloat16
    assert read_precisions() == fast_products


def test_an_error_leaves_nothing_switched(fast_products: list[str]) -> None:
    with pytest.raises(ValueError, match="inside"), fixed_arithmetic():
        raise ValueError("inside")
    assert read_precisions() == fast_products


@pytest.mark.parametrize("precision", ["tf32", "bf16"])
def test_a_switch_for_everything_stays_one_switch(precision: str) -> None:
    with use_products(precision):
        before = read_precisions()
        with fixed_arithmetic():
            assert not is_anything_rounded()
        assert read_precisions() == before
        BACKENDS.fp32_precision = "ieee"
        assert BACKENDS.mkldnn.matmul.fp32_precision == "ieee"


def test_products_stay_exact_until_the_last_thread_leaves(fast_products: list[str]) -> None:
    entered, left = Barrier(2), Barrier(2)

    @fixed_arithmetic()
    def work() -> None:
        entered.wait(10)
        left.wait(10)

    thread = Thread(target=work)
    with fixed_arithmetic():
        thread.start()
        entered.wait(10)
    assert not is_anything_rounded()
    left.wait(10)
    thread.join(10)
    assert read_precisions() == fast_products


def test_a_mixed_precision_training_inside_keeps_no_converted_weights() -> None:
    weight, x = torch.ones(2, 2, requires_grad=True), torch.ones(1, 2)
    with torch.autocast("cpu", torch.bfloat16), fixed_arithmetic():
        for value in (1.0, 3.0):
            weight.data.fill_(value)
            with torch.autocast("cpu", torch.bfloat16):
                assert (x @ weight).tolist() == [[2 * value] * 2]


def test_a_training_sees_the_switches_of_its_caller_in_no_step() -> None:
    ended = []

    @train_in_fixed_arithmetic
    def train(steps: int) -> Generator[Progress, None, torch.dtype]:
        weight = torch.ones(2, 2, requires_grad=True)
        try:
            for step in range(steps):
                (weight @ weight).sum().backward()
                yield Progress("Training", step, steps)
            return (weight @ weight).dtype
        finally:
            ended.append(True)

    with torch.autocast("cpu", torch.bfloat16), torch.inference_mode():
        steps = train(2)
        next(steps)
        assert torch.is_autocast_enabled("cpu")
        assert torch.is_inference_mode_enabled()
        next(steps)
        with pytest.raises(StopIteration) as stop:
            next(steps)
    assert stop.value.value == torch.float32
    abandoned = train(2)
    next(abandoned)
    abandoned.close()
    assert ended == [True, True]
