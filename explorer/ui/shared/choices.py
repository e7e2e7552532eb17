"""Choices stored in the address: one of several words, or a page of a long list."""

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
    """Let the user choose one of several words, and return it; the first is the default.

    Parameters
    ----------
    key : str
        Key of the widget, and name of its parameter in the address.
    options : sequence of str
        The words, as they are shown.
    label : str
        Label of the widget.
    what : str
        What is chosen, for the message about an address with an unknown word.
    help_text : str, optional
        Help text of the widget.
    on_change : callable, optional
        Called when the choice changes, before the page reruns.
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
    """Let the user choose a page of a list, and return the indices of its items, from 0.

    Parameters
    ----------
    key : str
        Key of the widget, and name of its parameter in the address.
    count : int
        Number of all items; 0 gives an empty range.
    most : int
        Items per page.
    what : str
        What the pages contain, for the message about an address with an unknown page.
    """
    pages = -(-count // most)
    page = 1
    state.check_param(key, map(str, range(1, max(pages, 1) + 1)), what)
    # Always an element, or what follows would take the place of something else and look like it.
    place = st.container()
    if pages > 1:
        if st.session_state.get(key, 1) > pages:
            st.session_state[key] = 1
        page = place.pagination(pages, key=key, bind=state.BIND)
    else:
        st.session_state.pop(key, None)  # else the next link would ask for it
        state.drop_param(key)
    return range((page - 1) * most, min(page * most, count))


def show_first_page(key: str) -> None:
    """Go back to the first page of a list, for choices that change what is listed."""
    st.session_state[key] = 1
