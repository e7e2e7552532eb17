"""Choices that several controls share, with the address as their mirror.

A widget bound to the address is the only control of its choice, and forgets it on other pages. The
choices here are held by the session, whatever shows or changes them; what differs from the default
is in the address of every page.
"""

from collections.abc import Collection, Sequence

import streamlit as st

from explorer.ui.shared import state

_PREFIX = "mirrored-"
_OWNER = "owner_of_x_features"
_OF_MODULE = (state.WORKSPACE, state.CATEGORY, state.RUN)
_OF_OWNER = (state.FEATURE, state.OFF)
_DRAWING = (
    *(state.LAYER, state.VIEW, state.COLOURS, state.OPACITY),
    *(state.SCALE, state.CROP, state.DRAWING),
)


def follow_address(stale: Collection[str]) -> None:
    """Read again what a link changed; call it with the result of `state.apply_address`.

    How maps are drawn stays as it was chosen where a link does not mention it. The links of the
    menu ask for nothing new, and change nothing.
    """
    if not any(key in st.query_params for key in stale):
        stale = ()
    for key in stale:
        if key not in _DRAWING or key in st.query_params:
            st.session_state.pop(_PREFIX + key, None)
        if key in _OF_MODULE:
            st.session_state.pop(_OWNER, None)
            for own in _OF_OWNER:
                if own not in st.query_params:
                    st.session_state.pop(_PREFIX + own, None)
    for key in _DRAWING:
        _write(key)


def list_drawing_params() -> dict[str, str]:
    """Return the parameters of how maps are drawn, where that differs from the default."""
    return {key: words[-1] for key in _DRAWING if (words := recall(key))}


def draw_as_usual() -> None:
    """Forget all choices of how maps are drawn."""
    for key in _DRAWING:
        choose(key, [])


def claim_x_features(*owner: str) -> None:
    """Forget which x-features were chosen or switched off if they are those of another module."""
    if st.session_state.get(_OWNER, owner) != owner:
        for key in _OF_OWNER:
            choose(key, [])
    st.session_state[_OWNER] = owner


def read(key: str, known: Collection[str], what: str, usual: str = "") -> list[str]:
    """Return what was chosen under a key, as the address words it; nothing for the default.

    Parameters
    ----------
    key : str
        Name of the parameter.
    known : collection of str
        What can be chosen. Anything else is forgotten, and reported if a link asks for it.
    what : str
        What is chosen, for the message.
    usual : str
        The default, which links may mention and the address leaves out.
    """
    state.check_param(key, known, what)
    chosen = st.session_state.get(_PREFIX + key)
    words = st.query_params.get_all(key) if chosen is None else chosen
    choose(key, [word for word in words if word in known and word != usual])
    return recall(key)


def recall(key: str) -> list[str]:
    """Return what was last read or chosen under a key in this session."""
    return list(st.session_state.get(_PREFIX + key, ()))


def choose(key: str, words: Sequence[str]) -> None:
    """Choose something under a key; nothing for the default."""
    st.session_state[_PREFIX + key] = list(words)
    _write(key)


def _write(key: str) -> None:
    words = st.session_state.get(_PREFIX + key)
    if words is None or words == st.query_params.get_all(key):
        return
    if words:
        st.query_params[key] = words
    else:
        state.drop_param(key)
