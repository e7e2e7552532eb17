"""The choice of the two explanations that are compared."""

from collections.abc import Sequence

import streamlit as st

from explorer.data.names import name_categories
from explorer.methods import excitation_bp
from explorer.methods.runs import sort_modules
from explorer.ui.compare.sides import LEFT, RIGHT, UNTRAINED, Side, name_explanation
from explorer.ui.shared import state
from explorer.ui.shared.state import Selection
from explorer.ui.shared.words import HELP
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace

PAGE = "compare_page"
# Not that of the Photo page: Streamlit takes what a page's own widgets hold out of its links.
PHOTOS_OF = "compare_photos_of"
_SEEN = "compare_sidebar"
_BY_HELP = "A module splits the score into x-features. These need no module:\n" + "".join(
    f"\n- {method.title}: {method.summary}" for method in UNTRAINED.values()
)


def _key(place: str, what: str) -> str:
    return f"{place}_{what}"


def choose_sides(workspace: Workspace, selection: Selection) -> tuple[Side, Side]:
    """Show the choice of both explanations, and return them, the left one first."""
    entries = sort_modules(workspace.list_modules())
    own, other = selection.entry, _find_other(entries, selection.entry)
    _follow_sidebar(workspace, own, other)
    left_column, middle, right_column = st.columns(
        [10, 3, 10], vertical_alignment="center", gap="small"
    )
    with left_column:
        left = _choose_side(workspace, entries, LEFT, own.category, own.run)
    if left.entry is not None:
        other = _find_other(entries, left.entry)
    with right_column:
        right = _choose_side(workspace, entries, RIGHT, left.category, other)
    middle.button(
        "Swap",
        icon=":material/swap_horiz:",
        key="compare-swap",
        width="stretch",
        help="Swap left and right.",
        on_click=_swap,
    )
    return left, right


def _find_other(entries: Sequence[ModuleEntry], entry: ModuleEntry) -> str:
    """Return what a module is compared with by default, another of its category if possible."""
    runs = [e.run for e in entries if e.category == entry.category and e.run != entry.run]
    return runs[0] if runs else excitation_bp.METHOD.name


def _follow_sidebar(workspace: Workspace, own: ModuleEntry, other: str) -> None:
    """Return to the defaults after another module has been chosen in the sidebar."""
    chosen = (str(workspace.path), own.category, own.run)
    seen = st.session_state.get(_SEEN)
    st.session_state[_SEEN] = chosen
    if seen in (None, chosen) or _key(LEFT, "category") not in st.session_state:
        return
    for place, by in ((LEFT, own.run), (RIGHT, other)):
        st.session_state[_key(place, "category")] = own.category
        st.session_state[_key(place, "by")] = by
    st.session_state[PHOTOS_OF] = own.category
    st.session_state[PAGE] = 1


def _choose_side(
    workspace: Workspace,
    entries: Sequence[ModuleEntry],
    place: str,
    default_category: str,
    default_by: str,
) -> Side:
    names = name_categories(workspace.dataset.categories)
    category_key, by_key = _key(place, "category"), _key(place, "by")
    others = [name for name in names if name != default_category]
    state.check_param(category_key, names.values(), f"category on the {place}")
    _keep_among(category_key, [default_category, *others])
    with st.container(border=True, key=f"compare-{place}"):
        category = st.selectbox(
            f"{place.capitalize()}: score of",
            [default_category, *others],
            format_func=lambda name: names.get(name, name),
            key=category_key,
            bind=state.BIND,
            help=HELP["category"],
            on_change=_follow_left if place == LEFT else None,
        )
        runs = {entry.run: entry for entry in entries if entry.category == category}
        options = sorted(dict.fromkeys([*runs, *UNTRAINED]), key=lambda by: by != default_by)
        state.check_param(by_key, map(name_explanation, options), f"explanation on the {place}")
        _keep_among(by_key, options)
        by = st.selectbox(
            f"{place.capitalize()}: explained by",
            options,
            format_func=name_explanation,
            key=by_key,
            bind=state.BIND,
            help=_BY_HELP,
        )
    return Side(place, category, names[category], by, runs.get(by))


def _keep_among(key: str, options: Sequence[str]) -> None:
    """Replace a choice that is no longer offered by the default."""
    if key in st.session_state and st.session_state[key] not in options:
        st.session_state[key] = options[0]


def _follow_left() -> None:
    """Show photos of the category that was chosen on the left."""
    st.session_state[PHOTOS_OF] = st.session_state[_key(LEFT, "category")]
    st.session_state[PAGE] = 1


def _swap() -> None:
    for what in ("category", "by"):
        one, other = _key(LEFT, what), _key(RIGHT, what)
        values = st.session_state[one], st.session_state[other]
        st.session_state[other], st.session_state[one] = values


def make_params(left: Side, right: Side) -> dict[str, str]:
    """Return what chooses both explanations in this page's address."""
    return {
        _key(side.place, what): value
        for side in (left, right)
        for what, value in (("category", side.category_name), ("by", side.title))
    }
