"""Runs what yields progress records."""

from collections.abc import Generator
from typing import TypeVar

from explorer.config import Progress

T = TypeVar("T")


def run_steps(steps: Generator[Progress, None, T]) -> T:
    """Run a generator of progress records to its end and return its result."""
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            result: T = stop.value
            return result
