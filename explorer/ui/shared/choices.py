"""Choices that the address says: one of some words, and a page of many."""

from collections.abc import Callable, Sequence

import streamlit as st

from explorer.ui.shared import state


def choose_one(
    key: str,
    options: Sequence[str],
    label: str,
    what: str,
    help_text: str | None = None,
    *,
    on_change: Callable[[], None] | None = None,
) -> str:
    """Let one of some words be chosen, the first at first, and return it.

    Parameters
    ----------
    key : str
        Of the widget, and name of its parameter in the address.
    options : sequence of str
        What there is to choose from, as it is shown.
    label : str
        Above the choice.
    what : str
        Name of the thing, for the message about an address that asks for what is not there.
    help_text : str, optional
        For whoever wonders.
    on_change : callable, optional
        Called before the run that follows another choice.
    """
    state.check_param(key, options, what)
    chosen = st.segmented_control(
        label,
        list(options),
        default=options[0],
        required=True,
        key=key,
        bind=state.BIND,
        help=help_text,
        on_change=on_change or "rerun",
        wrap=True,
    )
    return str(chosen or options[0])


def choose_page(key: str, count: int, most: int, what: str) -> range:
    """Let a page of `count` things be chosen, and return the numbers of those on it, from 0.

    Parameters
    ----------
    key : str
        Of the widget, and name of its parameter in the address.
    count : int
        Of all things; 0 gives an empty range.
    most : int
        Things on a page.
    what : str
        Name of the page, for the message about an address that asks for one that is not there.
    """
    pages = -(-count // most)
    page = 1
    state.check_param(key, map(str, range(1, pages + 1)), what)
    if pages > 1:
        if st.session_state.get(key, 1) > pages:
            st.session_state[key] = 1
        page = st.pagination(pages, key=key, bind=state.BIND)
    else:
        state.drop_param(key)
    return range((page - 1) * most, min(page * most, count))
