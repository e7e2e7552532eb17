"""Collects garbage now and then, without what lives as long as the process."""

import gc
import math
import sys
import threading
import time
from dataclasses import dataclass, field

import streamlit as st

_MANY = 100  # modules, about as many as one library has
_PAUSE = 10.0  # seconds


@dataclass
class _Last:
    modules: int = 0
    time: float = -math.inf
    lock: threading.Lock = field(default_factory=threading.Lock)


@st.cache_resource(show_spinner=False)
def _get_last() -> _Last:
    return _Last()


def collect_garbage() -> None:
    """Collect garbage if nobody has for ten seconds; call it after every run of a page.

    A collection holds Python's global lock, so that no other session runs meanwhile: for a fifth of
    a second or more with torch, SciPy and Plotly loaded, and hundreds of figures. Streamlit would
    collect after every run, and with many visitors do little else (`postScriptGC` turns that off).

    Whenever a library has been imported, all living objects are excluded from further collections.
    Objects of modules live as long as the process. Any other object alive at this moment is
    excluded too: if it is part of a cycle, it stays until the next library is imported.
    """
    last, now, count = _get_last(), time.monotonic(), len(sys.modules)
    if not last.lock.acquire(blocking=False):
        return
    try:
        if count >= last.modules + _MANY:
            last.modules, last.time = count, now
            gc.unfreeze()
            gc.collect()
            gc.freeze()
        elif now >= last.time + _PAUSE:
            last.time = now
            gc.collect()
    finally:
        last.lock.release()
