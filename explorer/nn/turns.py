"""Sharing the processors among the visitors for whom the network runs at the same time.

Each thread of Python that computes starts as many threads of PyTorch as there are processors. Where
many visitors wait, these are in each other's way: on two cores, eight photos at once took 40 % more
processor time than one after the other.
"""

import contextlib
import heapq
import itertools
import os
from collections.abc import Iterator
from threading import Event, Lock, local

import torch


class Turns:
    """So many computations at once, which divide PyTorch's threads among themselves.

    Whoever asked first is served first, also with what comes later: a thread of Python keeps its
    place. A page needs several computations. If each of them waited behind those of all others, all
    pages would be ready at the end, and none before.

    Parameters
    ----------
    slots : int
        How many computations run at once; others wait.
    """

    def __init__(self, slots: int) -> None:
        self._slots = self._free = slots
        self._lock = Lock()
        self._places = itertools.count()
        self._waiting: list[tuple[int, Event]] = []  # a heap
        self._threads = 1  # of a computation alone
        self._own = local()

    @contextlib.contextmanager
    def take(self, most: int | None = None) -> Iterator[int]:
        """Wait for a turn, compute in it with a share of the threads, and yield their number.

        What begins while others compute leaves them their threads. A turn within a turn of the same
        thread of Python is a part of it.

        Parameters
        ----------
        most : int, optional
            Take at most so many threads.
        """
        if known := getattr(self._own, "count", 0):
            yield known
            return
        self._wait()
        share = self._compute_share()
        self._own.count = count = share if most is None else min(share, most)
        torch.set_num_threads(count)  # of this thread of Python
        try:
            yield count
        finally:
            self._own.count = 0
            torch.set_num_threads(self._threads)
            self._pass_on()

    def _wait(self) -> None:
        """Wait until a slot is this thread's."""
        with self._lock:
            if not hasattr(self._own, "place"):
                self._own.place = next(self._places)
            if self._free:
                self._free -= 1
                return
            is_next = Event()
            heapq.heappush(self._waiting, (self._own.place, is_next))
        is_next.wait()

    def _compute_share(self) -> int:
        """Return the threads for each of those who have a slot."""
        with self._lock:
            # A new thread of Python begins with the number that was set last anywhere, which may be
            # the share of another one.
            self._threads = max(self._threads, torch.get_num_threads())
            return max(1, self._threads // (self._slots - self._free))

    def _pass_on(self) -> None:
        """Give the slot to the first of those who wait."""
        with self._lock:
            if self._waiting:
                heapq.heappop(self._waiting)[1].set()
            else:
                self._free += 1


TURNS = Turns(os.cpu_count() or 1)
"""Of this process."""
