"""Progress of work that a page waits for."""

from collections.abc import Collection, Iterator
from typing import TypeVar

import streamlit as st

T = TypeVar("T")


def track(items: Collection[T], label: str) -> Iterator[T]:
    """Yield items and show the progress in a bar, which is removed at the end.

    Parameters
    ----------
    items : collection
        Items that each take some time.
    label : str
        What is being done, for the user.
    """
    place = st.empty()
    for done, item in enumerate(items):
        place.progress(done / len(items), f"{label} {done + 1} of {len(items)} …")
        yield item
    place.empty()
