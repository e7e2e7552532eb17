"""The comparison of methods, with the measures of the paper's Table 1 and more."""

import streamlit as st

from explorer.evaluation.results import Results
from explorer.ui.results import confusion, loading, reliability, tables
from explorer.ui.shared import links
from explorer.ui.shared.errors import error_boundary
from explorer.ui.shared.opening import open_workspace_or_say_why
from explorer.ui.shared.styles import load_page_style
from explorer.workspace.workspace import Workspace


def show_page() -> None:
    """Show tables, one measure by category, and one category's numbers."""
    workspace = open_workspace_or_say_why()
    if workspace is None:
        return
    load_page_style("results")
    st.title("Which explanation is better?", anchor=False)
    found = loading.load_results(workspace)
    if found is not None and found.findings:
        _show_findings(found)
    st.markdown(
        "All methods explain the same scores of the same network on the same photos. A good "
        "explanation is **faithful** (low mean error, F_reg), **local** (low locality) and looks "
        + (
            "at the parts that set a category apart, which are known of painted birds."
            if workspace.is_painted
            else "at the bird."
        )
    )
    if found is None:
        tables.show_no_results(workspace)
        reliability.show_reliability(workspace)
        _show_cell_and_link(workspace)
        return
    tables.show_tables(found, loading.load_sanity(workspace), workspace)
    st.header("Category by category", anchor=False)
    tables.show_measure(found, workspace.dataset.categories)
    tables.show_category(found, workspace)
    reliability.show_reliability(workspace)
    _show_cell_and_link(workspace, found)


def _show_findings(found: Results) -> None:
    """Say what came out: in two sentences, and in numbers beside the paper's."""
    details = "\n".join(f"- {sentence}" for sentence in found.findings)
    if not found.verdict:
        st.markdown(details)
        return
    with st.container(key="answer"):
        st.markdown(found.verdict)
    with st.expander("In numbers, and against the paper"):
        st.markdown(details)


def _show_cell_and_link(workspace: Workspace, found: Results | None = None) -> None:
    """Show the network's mistakes, and what can be downloaded and shared."""
    cell: dict[str, str | int] = {}
    with error_boundary():
        cell = confusion.show_confusions(workspace)
    st.header("Download and share", anchor=False)
    if found is not None:
        tables.show_downloads(found)
    links.show_link({**links.name_workspace(), **(tables.make_params() if found else {}), **cell})


with error_boundary(repair="Run the comparison again, or repair its files and reload the page."):
    show_page()
