"""What is never garbage is kept out of its collection, which Streamlit runs after every page."""

import gc
import sys
from dataclasses import dataclass

import streamlit as st

_MANY = 100  # modules, as a library brings along


@dataclass
class _Seen:
    modules: int = 0


@st.cache_resource(show_spinner=False)
def _get_seen() -> _Seen:
    return _Seen()


def spare_modules() -> None:
    """Take what lives out of collection whenever a library was imported.

    Streamlit looks through all objects after every run of a page, holding Python's lock: with
    torch, SciPy and Plotly a fifth of a second or more, in which no other visitor's page runs.
    What modules hold lives as long as the process. Whatever else is alive at this moment is spared
    until the next one as well, if it is then part of a cycle.
    """
    seen, count = _get_seen(), len(sys.modules)
    if count >= seen.modules + _MANY:
        seen.modules = count
        gc.unfreeze()
        gc.collect()
        gc.freeze()
