"""All categories with their key figures: search, order, tiles and download."""

from collections.abc import Sequence
from functools import partial

import streamlit as st

from explorer.config import ExplorerError, is_public
from explorer.data.names import add_article
from explorer.methods.runs import format_run
from explorer.ui.overview.summaries import LIVE, ORDERS, CategorySummary, find_categories
from explorer.ui.shared import cached, choices, exports, gallery, links, state
from explorer.ui.shared.birds import render_small_bird
from explorer.ui.shared.empty import show_workspace_command
from explorer.ui.shared.errors import error_boundary
from explorer.ui.shared.markdown import escape_markdown, format_share
from explorer.ui.shared.names import name_photo
from explorer.ui.shared.subject import escape_words
from explorer.ui.shared.words import HELP
from explorer.workspace.layout import MODULE_FILE
from explorer.workspace.workspace import Workspace

FIND = "find"
ORDER = "order"
PAGE = "overview_page"
TILES_A_PAGE = 24

_LONGEST_SEARCH = 80


def show_damaged(workspace: Workspace, summaries: Sequence[CategorySummary]) -> None:
    """Show which files are damaged; who can repair them also learns where and why."""
    problems = dict.fromkeys(cached.list_damaged(workspace).values())
    problems |= dict.fromkeys(one.problem for one in summaries if one.problem)
    try:
        cached.load_accuracy(workspace)
    except ExplorerError as error:
        problems[str(error)] = None
    if not problems:
        return
    count = f"{len(problems)} file{' is' if len(problems) == 1 else 's are'} damaged"
    if is_public():
        st.warning(f"{count}; all others can be used.", icon=":material/warning:")
        return
    with st.expander(f":material/warning: {count}; all others can be used."):
        st.markdown("\n".join(f"- {escape_markdown(problem)}" for problem in problems))
        show_workspace_command("doctor", workspace)


def choose_categories(summaries: Sequence[CategorySummary]) -> list[CategorySummary]:
    """Show search and order, and return the categories found, in that order."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="picker"):
        words = st.text_input(
            "Find a category",
            key=FIND,
            bind=state.BIND,
            max_chars=_LONGEST_SEARCH,
            placeholder="a part of its name",
            icon=":material/search:",
            width=260,
            on_change=partial(choices.show_first_page, PAGE),
        )
        order = choices.choose_one(
            ORDER,
            list(ORDERS),
            "Order by",
            "order of categories",
            "The highest accuracy and the most live x-features first, but the lowest error and "
            "locality: low means faithful, and low means local.",
            on_change=partial(choices.show_first_page, PAGE),
        )
    return find_categories(summaries, words or "", order)


def show_categories(
    workspace: Workspace, found: Sequence[CategorySummary], *, is_all: bool
) -> None:
    """Show one page of categories as pictures with their key figures."""
    if not found:
        st.info("No category has a name like this. Shorten the search to see more.")
        return
    with_module = sum(one.entry is not None for one in found)
    lacking = len(found) - with_module
    st.caption(
        f"{len(found)} {'categories' if is_all else 'found'}"
        + (f", {lacking} of them without a module" if lacking else "")
        + ". Below each bird are the x-features that add most to its score. Figures are of test "
        "photos, from which neither network nor module has learnt."
        + (" All birds are painted, and all categories invented." if workspace.is_painted else ""),
        help="\n\n".join(HELP[word] for word in ("accuracy", "f_reg", "locality", "live")),
    )
    if not workspace.dataset.has_photos:
        st.caption(
            "The photos are not on this computer. A drawn bird shows where the x-features of each "
            "category look instead: bright parts get most of the heat."
        )
    shown = choices.choose_page(PAGE, len(found), TILES_A_PAGE, "page of categories")
    with st.container(key="gallery-categories"):
        for one in found[shown.start : shown.stop]:
            # If a photo cannot be read, the other categories are still shown.
            with error_boundary():
                _show_category(workspace, one)


def _show_category(workspace: Workspace, one: CategorySummary) -> None:
    photos = workspace.dataset.photos_of(one.category)
    if not photos:
        st.caption(f"{escape_markdown(one.name)} has no photos.")
        return
    picture = cached.load_thumbnail_or_none(workspace, photos[0])
    alt = f"{name_photo(workspace, photos[0])}, {add_article(one.name)}"
    if picture is None and one.shares is not None:
        picture = render_small_bird(one.shares, state.get_text_colour())
        alt = f"A drawn bird, coloured by the heat of the x-features of {one.name}"
    key = f"category-{workspace.dataset.categories.index(one.category)}"
    gallery.show_tile(
        key,
        picture,
        alt,
        page="category",
        label=one.name,
        params=links.make_module_params(workspace, one.entry) if one.entry else None,
        text=describe_category(one, st.session_state.get(ORDER, "")),
    )


def describe_category(one: CategorySummary, order: str = "") -> str:
    """Format what matters most for a category, and its key figures, as lines of Markdown.

    The figure that categories are ordered by is among them.
    """
    accuracy = f"accuracy {_format_percent(one.accuracy)}"
    if one.entry is None:
        return f"{accuracy}  \n:gray[no module yet]"
    if one.problem:
        what = "module" if MODULE_FILE in one.problem else "measures"
        return f"{accuracy}  \n:orange[{what} cannot be read]"
    if one.f_reg is None:
        return f"{accuracy}  \n:gray[not measured yet]"
    locality = "–" if one.locality is None else f"{one.locality:.2f}"
    lines = [
        escape_words(", ".join(one.concepts)),
        f":gray[{accuracy}]",
        f":gray[error {format_share(one.relative_f_reg)} of range]",
        f":gray[locality {locality}]" if order == "locality" else "",
        f":gray[{one.live} of {one.x_features} x-features live]" if order == LIVE else "",
    ]
    return "  \n".join(filter(None, lines))


def _format_percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"


def show_numbers(summaries: Sequence[CategorySummary]) -> None:
    """Offer the key figures of all categories as CSV."""
    exports.show_numbers(make_columns(summaries), "srae-categories", "All key figures (CSV)")


def make_columns(summaries: Sequence[CategorySummary]) -> dict[str, list[object]]:
    """Arrange key figures as columns, with one row per category; unknown figures are empty."""
    names = ("accuracy", "f_reg", "relative_f_reg", "locality", "live", "x_features")
    return {
        "category": [one.category for one in summaries],
        "module": [format_run(one.entry.run) if one.entry else "" for one in summaries],
        **{
            name: ["" if (v := getattr(one, name)) is None else v for one in summaries]
            for name in names
        },
    }


def make_params() -> dict[str, str | int]:
    """Return search, order and page as parameters of the address."""
    return {key: st.session_state[key] for key in (FIND, ORDER, PAGE) if st.session_state.get(key)}
