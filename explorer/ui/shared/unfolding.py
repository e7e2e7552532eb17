"""Sections of a page that are computed once a visitor opens them."""

from collections.abc import Callable

import streamlit as st

from explorer.ui.shared.errors import error_boundary
from explorer.ui.shared.state import remember_address


@st.fragment
def show_when_open(title: str, key: str, show: Callable[[], None]) -> None:
    """Show a closed section, and what is in it as soon as it is opened.

    Parameters
    ----------
    title : str
        Its title, in plain words.
    key : str
        Under which the session remembers whether it is open.
    show : callable
        Shows what is in it. Its controls rerun this section, and not the page.
    """
    section = st.expander(f"**{title}**", key=key, on_change="rerun")
    try:
        if section.open:
            with section, error_boundary():
                show()
    finally:
        remember_address()
