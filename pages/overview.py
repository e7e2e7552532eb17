"""The first page: what this is, one worked example, and every category with its key figures."""

import streamlit as st

from explorer.ui.overview import example, overview_categories
from explorer.ui.shared import components, empty, links, state


def show_page() -> None:
    """Show what is quick at once; the worked example fills its place when it is ready."""
    components.load_page_style("overview")
    example.show_introduction()
    workspace = empty.open_workspace_or_say_why(below_title=True)
    if workspace is None:
        return
    selection = state.get_selection()
    place_of_example = st.container()
    if selection is None:
        empty.show_next_step(workspace, below_title=True)
    st.header("The birds", anchor=False)
    summaries = overview_categories.summarise(workspace)
    overview_categories.show_damaged(workspace, summaries)
    found = overview_categories.choose_categories(summaries)
    overview_categories.show_categories(workspace, found, is_all=len(found) == len(summaries))
    st.header("Take it along", anchor=False)
    overview_categories.show_numbers(summaries)
    chosen = links.name_workspace()
    if selection is not None:
        chosen = links.make_module_params(workspace, selection.entry)
    links.show_link({**chosen, **overview_categories.make_params()})
    if selection is not None:
        with (
            place_of_example,
            components.error_boundary("Choose another category in the sidebar, or mend it."),
        ):
            photo = example.choose_example(workspace, selection)
            example.show_example(workspace, selection, photo)
            example.show_ways(workspace, selection, photo)


with components.error_boundary():
    show_page()
