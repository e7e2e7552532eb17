"""The choices in the sidebar: workspace, category and module."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from explorer.config import ExplorerError, is_public
from explorer.data.names import name_categories
from explorer.methods.runs import format_run, sort_modules
from explorer.ui.shared import cached, state, training_starter, training_status
from explorer.ui.shared.errors import error_boundary
from explorer.ui.shared.markdown import escape_markdown
from explorer.ui.shared.state import Selection
from explorer.ui.shared.words import HELP
from explorer.ui.shared.workspaces import introduce
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator


def show_sidebar() -> "DeltaGenerator":
    """Show the choices that all pages share, and return a slot for `show_network`.

    The network is shown last, because it may be loaded by the page.
    """
    state.keep_selection(None)
    top = st.sidebar.container(gap="xsmall")
    place = st.sidebar.empty()
    # The page says what is wrong with the workspace, and has room for the remedy.
    with top, error_boundary():
        _choose_workspace()
        try:
            with st.spinner("Opening the workspace …"):
                workspace = cached.open_workspace()
                entries = workspace.list_modules()
        except ExplorerError:
            st.caption("No workspace is open.")
            return place
        _show_workspace(workspace)
        if entries:
            state.keep_selection(_choose_module(workspace, entries))
        if workspace.settings.classifier_sha256 and not is_public():
            _show_training(workspace, entries)
    return place


def _show_training(workspace: Workspace, entries: Sequence[ModuleEntry]) -> None:
    selection = state.get_selection()
    current = "" if selection is None else selection.entry.category
    training_status.watch(workspace)
    with st.container(key="starter", gap="xsmall"):
        training_starter.show_in_sidebar(workspace, entries, current)
        training_status.show_summary(workspace)
        st.page_link(
            training_starter.PAGE, label="All settings and trainings", icon=":material/tune:"
        )


def _choose_workspace() -> None:
    names = list(state.name_workspaces())
    state.check_param(state.WORKSPACE, names, "workspace")
    if len(names) == 1:
        state.drop_param(state.WORKSPACE)
        return
    known = introduce(state.get_workspace_path())
    st.selectbox(
        "Workspace",
        names,
        key=state.WORKSPACE,
        bind=state.BIND,
        help=HELP["workspace"] + (f"\n\n{known.name}: {known.sentence}" if known else ""),
        on_change=state.forget_choices,
    )


def _show_workspace(workspace: Workspace) -> None:
    dataset = workspace.dataset
    photos = f"{len(dataset.photos):,} " + ("painted birds" if workspace.is_painted else "photos")
    if len(state.name_workspaces()) == 1:
        name = escape_markdown(state.get_workspace_name())
        # Visitors of a server do not see its folders.
        place = None if is_public() else f"The workspace in `{workspace.path}`."
        st.markdown(f"**{name}**", help=place)
    origin = None if is_public() else f"From `{dataset.root}`."
    st.caption(
        f"{photos} of {len(dataset.categories)} "
        + ("invented categories" if workspace.is_painted else "categories"),
        help=(
            "All birds and categories are invented, and the photos painted by a program."
            if workspace.is_painted
            else origin
        ),
    )


def _choose_module(workspace: Workspace, entries: Sequence[ModuleEntry]) -> Selection:
    with_module = list(dict.fromkeys(entry.category for entry in entries))
    names = name_categories(workspace.dataset.categories)
    state.check_param(state.CATEGORY, [names[one] for one in with_module], "category")
    known = introduce(workspace.path)
    example = known.example if known else ""
    category = st.selectbox(
        "Category",
        with_module,
        index=with_module.index(example) if example in with_module else 0,
        format_func=lambda name: names.get(name, name),
        key=state.CATEGORY,
        bind=state.BIND,
        help=HELP["category"],
        on_change=_follow_category,
    )
    missing = len(workspace.dataset.categories) - len(with_module)
    having = (
        f"{len(with_module)} of {len(workspace.dataset.categories)} categories "
        f"{'has' if len(with_module) == 1 else 'have'} a module."
        if missing
        else "Every category has a module."
    )
    runs = {entry.run: entry for entry in sort_modules(entries) if entry.category == category}
    run = next(iter(runs))
    if len(runs) > 1:
        state.check_param(state.RUN, map(format_run, runs), "module")
        st.caption(having)
        run = st.selectbox(
            "Module",
            list(runs),
            format_func=format_run,
            key=state.RUN,
            bind=state.BIND,
            help=HELP["run"],
        )
    else:
        state.check_param(state.RUN, [format_run(run)], "module")
        state.drop_param(state.RUN)
        st.caption(escape_markdown(f"{format_run(run)}. {having}"))
    return Selection(workspace.path, runs[run], names[category])


def _follow_category() -> None:
    """Show photos of the newly chosen category, from the first page."""
    st.session_state.pop(state.PHOTO_PAGE, None)
    st.session_state[state.PHOTOS_OF] = st.session_state[state.CATEGORY]
