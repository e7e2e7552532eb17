"""Computations of several visitors share the processors."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import pytest
import torch

from explorer.nn.devices import limit_threads
from explorer.nn.turns import Turns


@pytest.fixture(autouse=True)
def _four_threads() -> Iterator[None]:
    with limit_threads(4):
        yield


def test_a_computation_alone_has_all_threads() -> None:
    turns = Turns(4)
    for _ in range(2):
        with turns.take() as count:
            assert count == torch.get_num_threads() == 4


def test_a_small_computation_takes_no_more_than_it_wants() -> None:
    turns = Turns(4)
    with turns.take(1) as count:
        assert count == torch.get_num_threads() == 1
    with turns.take(8) as count:
        assert count == torch.get_num_threads() == 4


def test_a_turn_within_a_turn_is_part_of_it() -> None:
    turns = Turns(1)
    with turns.take() as outer, turns.take() as inner:
        assert outer == inner == 4
    with turns.take() as again:
        assert again == 4


def test_those_that_begin_later_leave_the_others_their_threads() -> None:
    turns, all_in = Turns(4), Barrier(2, timeout=30)

    def compute(wait: float) -> tuple[int, int]:
        time.sleep(wait)
        with turns.take() as count:
            all_in.wait()
            return count, torch.get_num_threads()

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(compute, (0.0, 0.2))
    assert first == (4, 4)
    assert second == (2, 2)


def test_no_more_compute_at_once_than_there_are_slots() -> None:
    turns, go = Turns(2), Event()
    inside: list[int] = []
    most: list[int] = []

    def compute(number: int) -> None:
        with turns.take():
            inside.append(number)
            most.append(len(inside))
            go.wait(30)
            inside.remove(number)

    with ThreadPoolExecutor(6) as pool:
        futures = [pool.submit(compute, number) for number in range(6)]
        time.sleep(0.3)
        assert len(most) == 2
        go.set()
        for future in futures:
            future.result(30)
    assert max(most) == 2
    assert len(most) == 6


def test_an_error_gives_the_turn_back() -> None:
    turns = Turns(1)
    for _ in range(3):
        with pytest.raises(ValueError, match="broken"), turns.take():
            raise ValueError("broken")
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(lambda: turns.take().__enter__()).result(30) == 4


def test_threads_begin_with_all_again_whatever_others_had_when_they_were_made() -> None:
    turns = Turns(4)

    def take_within() -> int:
        with turns.take() as count:
            return count

    for _ in range(3):
        with turns.take(), ThreadPoolExecutor(1) as pool:
            assert pool.submit(take_within).result(30) == 2
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(take_within).result(30) == 4
        assert pool.submit(torch.get_num_threads).result(30) == 4


def test_who_asked_first_is_served_first_with_what_comes_later() -> None:
    turns, order = Turns(1), list[str]()
    begun = {name: Event() for name in "abc"}

    def compute_twice(name: str) -> None:
        for part in (1, 2):
            begun[name].set()
            with turns.take():
                order.append(f"{name}{part}")
                time.sleep(0.3)

    with ThreadPoolExecutor(3) as pool:
        futures = []
        for name in "abc":
            futures.append(pool.submit(compute_twice, name))
            begun[name].wait(30)
            time.sleep(0.05)
        for future in futures:
            future.result(30)
    # While b computes, a asks again, and is served before c.
    assert order == ["a1", "b1", "a2", "b2", "c1", "c2"]
