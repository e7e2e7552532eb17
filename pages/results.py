"""The comparison of methods, as the paper's Table 1 and beyond."""

import streamlit as st

from explorer.ui.results import tables
from explorer.ui.shared import cached, components, empty, links


def show_page() -> None:
    """Show the table, a measure's spread over categories, and one category's numbers."""
    workspace = empty.open_workspace_or_say_why()
    if workspace is None:
        return
    st.title("Which explanation is better?", anchor=False)
    st.markdown(
        "Every method explains the same scores of the same network on the same photos. A good "
        "explanation is **faithful** (small F_reg), **local** (small locality) and looks at the "
        "bird, on painted birds even at the very parts that tell a category from its relatives."
    )
    found = cached.load_results(workspace)
    if found is None:
        tables.show_no_results(workspace)
        return
    tables.show_tables(found, cached.load_sanity(workspace), workspace)
    st.header("Category by category", anchor=False)
    tables.show_measure(found)
    tables.show_category(found, [entry.category for entry in workspace.list_modules()])
    st.header("Take it along", anchor=False)
    tables.show_downloads(found)
    links.show_link({**links.name_workspace(), **tables.make_params()})


with components.error_boundary("Run the comparison again, or mend its files and reload."):
    show_page()
