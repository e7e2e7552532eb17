"""The search, the filters and the order of the Atlas page."""

from collections.abc import Sequence
from functools import partial

import streamlit as st

from explorer.explaining.atlas import Atlas
from explorer.explaining.atlas_search import (
    BACKGROUND,
    ORDERS,
    Query,
    list_all_colours,
)
from explorer.measuring.namer import group_parts
from explorer.ui.shared import state
from explorer.ui.shared.choices import choose_one, show_first_page

FIND, LOOKS_AT, COLOUR = "find_feature", "looks_at", "colour"
ORDER, PAGE, MODULES = "atlas_order", "atlas_page", "modules"
ONE_EACH, EVERY = "one per category", "all"
_ANYTHING, _ANY = "anything", "any"
_LONGEST_SEARCH = 80


def choose_query(atlas: Atlas) -> Query:
    """Show search, filters and order, and return what is asked."""
    words, _ = group_parts(atlas.part_names)
    with st.container(horizontal=True, vertical_alignment="bottom", key="picker"):
        asked = st.text_input(
            "Find an x-feature",
            key=FIND,
            bind=state.BIND,
            max_chars=_LONGEST_SEARCH,
            placeholder="a name, a species or an attribute",
            icon=":material/search:",
            width=300,
            on_change=partial(show_first_page, PAGE),
        )
        looks_at = _select(
            "Looks at",
            LOOKS_AT,
            (_ANYTHING, *words, BACKGROUND),
            "A part counts with a quarter of the heat on the bird, the background with half of all "
            "heat, on average over the category's own test photos.",
        )
        colours = list_all_colours(atlas)
        colour = _ANY
        if colours:
            colour = _select("Colour in its name", COLOUR, (_ANY, *colours))
        else:
            state.drop_param(COLOUR)
    order = choose_one(
        ORDER,
        tuple(ORDERS),
        "Order by",
        "order of x-features",
        "The highest contribution and AUC first, but the lowest locality: low means local.",
        on_change=partial(show_first_page, PAGE),
    )
    return Query(
        words=asked or "",
        looks_at="" if looks_at == _ANYTHING else looks_at,
        colour="" if colour == _ANY else colour,
        order=order,
    )


def _select(label: str, key: str, options: Sequence[str], help_text: str | None = None) -> str:
    state.check_param(key, options, label.lower())
    state.discard_unknown_choice(key, options)
    chosen = st.selectbox(
        label,
        options,
        key=key,
        bind=state.BIND,
        help=help_text,
        width=200,
        on_change=partial(show_first_page, PAGE),
    )
    return str(chosen)


def choose_modules(*, has_several: bool) -> str:
    """Let the user list all modules, where a category has several; return the choice."""
    if not has_several:
        state.drop_param(MODULES)
        return ONE_EACH
    return choose_one(
        MODULES,
        (ONE_EACH, EVERY),
        "Modules",
        "choice of modules",
        "A category may have several modules: other methods, sizes or seeds.",
        on_change=partial(show_first_page, PAGE),
    )


def make_params() -> dict[str, str | int]:
    """Return search, filters, order and page as parameters of the address."""
    keys = (FIND, LOOKS_AT, COLOUR, ORDER, MODULES, PAGE)
    return {key: st.session_state[key] for key in keys if st.session_state.get(key)}
