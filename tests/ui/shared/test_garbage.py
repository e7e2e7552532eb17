import gc
import sys
import types
from collections.abc import Iterator

import pytest
import streamlit as st

from explorer.ui.shared import garbage
from explorer.ui.shared.garbage import collect_garbage


@pytest.fixture(autouse=True)
def unfrozen() -> Iterator[None]:
    st.cache_resource.clear()
    gc.unfreeze()
    yield
    st.cache_resource.clear()
    gc.unfreeze()


class Node:
    def __init__(self) -> None:
        self.other = self  # a cycle, which counting references never frees


def count_nodes() -> int:
    return sum(type(thing) is Node for thing in gc.get_objects())


def test_what_modules_hold_is_looked_through_no_more() -> None:
    assert len(gc.get_objects()) > 50_000
    collect_garbage()
    assert len(gc.get_objects()) < 10_000


def test_garbage_that_is_made_later_is_collected() -> None:
    collect_garbage()
    Node()
    assert count_nodes() == 1
    collect_garbage()
    gc.collect()
    assert count_nodes() == 0


def test_it_is_collected_after_a_pause_and_by_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(garbage.time, "monotonic", lambda: clock[0])
    collect_garbage()
    Node()
    clock[0] += 9.9
    collect_garbage()
    assert count_nodes() == 1
    clock[0] += 0.2
    last = garbage._get_last()
    with last.lock:  # another thread is at it
        collect_garbage()
    assert count_nodes() == 1
    collect_garbage()
    assert count_nodes() == 0


def test_the_next_library_frees_what_has_died_since(monkeypatch: pytest.MonkeyPatch) -> None:
    node = Node()
    collect_garbage()
    del node
    gc.collect()
    assert gc.get_freeze_count() > 50_000
    for number in range(100):
        monkeypatch.setitem(sys.modules, f"library_{number}", types.ModuleType("library"))
    collect_garbage()
    gc.unfreeze()
    assert count_nodes() == 0
