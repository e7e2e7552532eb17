"""Keeps objects that live as long as the process out of garbage collection."""

import gc
import sys
from dataclasses import dataclass

import streamlit as st

_MANY = 100  # modules, about as many as one library has


@dataclass
class _Seen:
    modules: int = 0


@st.cache_resource(show_spinner=False)
def _get_seen() -> _Seen:
    return _Seen()


def freeze_imported_modules() -> None:
    """Exclude all living objects from collection whenever a library has been imported.

    Streamlit collects garbage after every run of a page, and holds Python's global lock meanwhile.
    With torch, SciPy and Plotly loaded, that takes a fifth of a second or more, in which no other
    session runs. Objects of modules live as long as the process. Any other object alive at this
    moment is excluded too: if it is part of a cycle, it stays until the next freeze.
    """
    seen, count = _get_seen(), len(sys.modules)
    if count >= seen.modules + _MANY:
        seen.modules = count
        gc.unfreeze()
        gc.collect()
        gc.freeze()
