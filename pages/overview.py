"""The first page: an introduction, ways in, one worked example, and all categories."""

import streamlit as st

from explorer.config import PAGES_DIR
from explorer.ui.overview import categories, doors, example
from explorer.ui.overview.summaries import summarise
from explorer.ui.shared import links, mirrored, state
from explorer.ui.shared.errors import error_boundary
from explorer.ui.shared.opening import open_workspace_or_say_why, show_next_step
from explorer.ui.shared.styles import load_page_style
from explorer.ui.your_photo import intake
from explorer.workspace.workspace import Workspace


def show_page() -> None:
    """Show what is quick first; the worked example is added when it is ready."""
    load_page_style("overview")
    start = st.container(key="start")
    left, right = start.columns([7, 6], gap="large")
    with left:
        example.show_introduction()
    workspace = open_workspace_or_say_why(below_title=True)
    if workspace is None:
        return
    with right:
        show_door(workspace)
    with left:
        doors.show_workspaces()
    selection = state.get_selection()
    place_of_example = start.container(key="example")
    if selection is None:
        show_next_step(workspace, below_title=True)
    st.header("The birds", anchor=False)
    summaries = summarise(workspace)
    categories.show_damaged(workspace, summaries)
    found = categories.choose_categories(summaries)
    categories.show_categories(workspace, found, is_all=len(found) == len(summaries))
    st.header("Download and share", anchor=False)
    categories.show_numbers(summaries)
    chosen = links.name_workspace()
    if selection is not None:
        chosen = links.make_module_params(workspace, selection.entry)
    links.show_link({**chosen, **categories.make_params()})
    if selection is not None:
        with (
            place_of_example,
            error_boundary("Choose another category in the sidebar.", repair="Or repair it."),
        ):
            show_worked_example(workspace, selection)


def show_worked_example(workspace: Workspace, selection: state.Selection) -> None:
    """Explain a photo of the chosen category, or all of them on average where there are none."""
    if not workspace.dataset.has_photos:
        example.show_mean_example(workspace, selection)
        example.show_next_pages(workspace, selection)
        return
    photo = example.choose_example(workspace, selection)
    example.show_example(workspace, selection, photo)
    example.show_next_pages(workspace, selection, photo)


def show_door(workspace: Workspace) -> None:
    """Take a visitor's own photo, and open the page that explains it."""
    if not workspace.settings.classifier_sha256:
        return
    with st.container(key="door"):
        st.markdown("**Why your bird?**")
        has_come = intake.show_door()
    if has_come:
        # Without parameters, Streamlit refuses to drop those that are bound to widgets.
        st.switch_page(PAGES_DIR / "your_photo.py", query_params=mirrored.list_drawing_params())


with error_boundary():
    show_page()
