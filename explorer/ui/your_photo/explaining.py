"""Which module explains a visitor's photo, and the map of the network's score itself."""

import streamlit as st

from explorer.data.cub import format_category
from explorer.data.names import name_categories
from explorer.methods.runs import format_run, sort_modules
from explorer.ui.shared import heatmaps, state
from explorer.ui.shared.empty import show_workspace_command
from explorer.ui.shared.markdown import escape_markdown
from explorer.ui.shared.shown_photo import ShownPhoto
from explorer.ui.shared.state import MapStyle
from explorer.ui.shared.windows import find_score_window
from explorer.ui.shared.words import HELP
from explorer.ui.your_photo.own_photo import OwnPhoto
from explorer.ui.your_photo.verdict import ask_plainly
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace

EXPLAINED = "explained"
EXPLAINED_RUN = "explained_run"

_LAST_SHOWN = "your_photo_last_shown"


def choose_module(
    workspace: Workspace, photo: OwnPhoto, entries: tuple[ModuleEntry, ...]
) -> ModuleEntry:
    """Let the user choose a category that has a module, the highest score first, and a module."""
    with_module = {entry.category for entry in entries}
    ranked = ask_plainly(workspace, photo).ranked
    options = [category for category in ranked if category in with_module]
    _reset_for_new_photo(workspace, photo, options[0])
    category = _choose_category(workspace, options)
    entry = _choose_run(entries, category)
    _show_sidebar_button(category, options[0])
    return entry


def show_missing(workspace: Workspace, photo: OwnPhoto, entries: tuple[ModuleEntry, ...]) -> None:
    """Say how to train a module for the category with the highest score, where it has none."""
    first = ask_plainly(workspace, photo).first
    if all(entry.category != first for entry in entries):
        st.caption(
            f"The highest score is that of {escape_markdown(format_category(first))}, which has "
            "no module yet. Train one:"
        )
        _show_train_command(workspace, first)


def _reset_for_new_photo(workspace: Workspace, photo: OwnPhoto, usual: str) -> None:
    shown = (str(workspace.path), photo.digest)
    if st.session_state.get(_LAST_SHOWN, shown) != shown:
        st.session_state[EXPLAINED] = usual
    st.session_state[_LAST_SHOWN] = shown


def _choose_category(workspace: Workspace, options: list[str]) -> str:
    names = name_categories(workspace.dataset.categories)
    state.check_param(EXPLAINED, [names[one] for one in options], "explained category")
    return st.selectbox(
        "Explain the score of",
        options,
        format_func=lambda name: names.get(name, name),
        key=EXPLAINED,
        bind=state.BIND,
        width=300,
        help=(
            "The categories that have a module, the highest score first. The choice in the "
            "sidebar is for the other pages."
        ),
    )


def _choose_run(entries: tuple[ModuleEntry, ...], category: str) -> ModuleEntry:
    runs = {entry.run: entry for entry in sort_modules(entries) if entry.category == category}
    run = next(iter(runs))
    state.check_param(EXPLAINED_RUN, map(format_run, runs), "module")
    if len(runs) > 1:
        run = st.selectbox(
            "Module",
            list(runs),
            format_func=format_run,
            key=EXPLAINED_RUN,
            bind=state.BIND,
            help=HELP["run"],
            width=300,
        )
    else:
        state.drop_param(EXPLAINED_RUN)
    return runs[run]


def _show_sidebar_button(category: str, usual: str) -> None:
    """Offer the sidebar's category where it is neither shown nor the default."""
    selection = state.get_selection()
    if selection is not None and selection.entry.category not in (category, usual):
        st.button(
            f"{escape_markdown(selection.category_name)}, as in the sidebar",
            on_click=_choose,
            args=(selection.entry.category,),
            key="as-in-sidebar",
        )


def _choose(category: str) -> None:
    st.session_state[EXPLAINED] = category


def _show_train_command(workspace: Workspace, category: str) -> None:
    show_workspace_command("train", workspace, "--category", format_category(category))


def ask_why(entry: ModuleEntry) -> str:
    """Ask what the explanation answers, in Markdown."""
    return f"Why “{escape_markdown(format_category(entry.category))}”?"


def show_contributions_title(entry: ModuleEntry) -> None:
    """Show the heading above the figure of contributions."""
    name = escape_markdown(format_category(entry.category))
    st.header(f"What adds up to the score of {name}", anchor=False, help=HELP["contribution"])


def show_score_only(
    workspace: Workspace, category: str, photo: ShownPhoto, style: MapStyle
) -> None:
    """Show the map of a category's score, and the command that trains a module for it."""
    with st.spinner("Tracing the score back to the photo's pixels …"):
        window = find_score_window(workspace, category, photo, style)
        heatmaps.show_score_map(workspace, category, photo, style, window)
    st.info(
        "This is where the network's highest score comes from. What speaks for and against it "
        "takes a module, and this workspace has none yet. Train one, then reload this page:"
    )
    _show_train_command(workspace, category)
