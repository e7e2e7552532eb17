"""Sharing the processors among the visitors for whom the network runs at the same time.

Each thread of Python that computes starts as many threads of PyTorch as there are processors. Where
many visitors wait, these are in each other's way: on two cores, eight photos at once took 40 % more
processor time than one after the other.
"""

import contextlib
import os
from collections.abc import Iterator
from threading import Lock, Semaphore, local

import torch


class Turns:
    """So many computations at once, which divide PyTorch's threads among themselves.

    Parameters
    ----------
    slots : int
        How many computations run at once; others wait.
    """

    def __init__(self, slots: int) -> None:
        self._free = Semaphore(slots)
        self._lock = Lock()
        self._active = 0
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
        with self._free:
            with self._lock:
                self._active += 1
                # A new thread of Python begins with the number that was set last anywhere, which
                # may be the share of another one.
                self._threads = max(self._threads, torch.get_num_threads())
                share = max(1, self._threads // self._active)
                count = share if most is None else min(share, most)
            self._own.count = count
            torch.set_num_threads(count)  # of this thread of Python
            try:
                yield count
            finally:
                self._own.count = 0
                torch.set_num_threads(self._threads)
                with self._lock:
                    self._active -= 1


TURNS = Turns(os.cpu_count() or 1)
"""Of this process."""
