import gc
import sys
import types
from collections.abc import Iterator

import pytest
import streamlit as st

from explorer.ui.shared.garbage import freeze_imported_modules


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
    freeze_imported_modules()
    assert len(gc.get_objects()) < 10_000


def test_garbage_that_is_made_later_is_collected() -> None:
    freeze_imported_modules()
    Node()
    assert count_nodes() == 1
    freeze_imported_modules()
    gc.collect()
    assert count_nodes() == 0


def test_the_next_library_frees_what_has_died_since(monkeypatch: pytest.MonkeyPatch) -> None:
    node = Node()
    freeze_imported_modules()
    del node
    gc.collect()
    assert gc.get_freeze_count() > 50_000
    for number in range(100):
        monkeypatch.setitem(sys.modules, f"library_{number}", types.ModuleType("library"))
    freeze_imported_modules()
    gc.unfreeze()
    assert count_nodes() == 0
