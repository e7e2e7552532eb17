"""Opens the workspace and the module of a page, or shows what is missing and how to make it."""

import shlex

import streamlit as st

from explorer.config import WORKSPACE_VARIABLE, ExplorerError, is_public
from explorer.data.cub import format_category
from explorer.ui.shared import cached, state, training_starter, training_status
from explorer.ui.shared.empty import show_command
from explorer.ui.shared.errors import explain_error
from explorer.ui.shared.state import Selection
from explorer.workspace.workspace import Workspace


def open_workspace_or_say_why(*, below_title: bool = False) -> Workspace | None:
    """Open the workspace, or show why that fails and what to do, and return None.

    Parameters
    ----------
    below_title : bool
        Whether the page has a title already, so that this is one of its sections.
    """
    try:
        return cached.open_workspace()
    except ExplorerError as error:
        _show_heading("No workspace yet", below_title=below_title)
        st.error(explain_error(error), icon=":material/error:")
    if is_public():
        st.markdown("Whoever runs this server can repair it.")
        return None
    training_status.show_last_failure(state.get_workspace_path())
    path = shlex.quote(str(state.get_workspace_path()))
    st.markdown("Build the demo with painted birds (some minutes, nothing is downloaded):")
    show_command("python -m explorer demo")
    st.markdown("Or make a workspace of your own copy of CUB-200-2011 and start the app on it:")
    show_command(
        "python -m explorer new my-birds --cub CUB_200_2011\n"
        f"{WORKSPACE_VARIABLE}=my-birds streamlit run explorer/app.py"
    )
    st.caption(f"Looked in `{path}`.")
    return None


def open_selection_or_say_why() -> tuple[Workspace, Selection] | None:
    """Open the workspace and the selected module, or show what is missing and return None."""
    workspace = open_workspace_or_say_why()
    if workspace is None:
        return None
    selection = state.get_selection()
    if selection is None:
        show_next_step(workspace)
        return None
    return workspace, selection


def show_next_step(workspace: Workspace, *, below_title: bool = False) -> None:
    """Say what a workspace without modules lacks, and show the command that makes it."""
    path = shlex.quote(str(workspace.path))
    if not workspace.settings.classifier_sha256:
        _show_heading("No network yet", below_title=below_title)
        st.info("This workspace has birds but no classifier to explain. Train one:")
        show_command(f"python -m explorer finetune {path}")
        return
    _show_heading("No module yet", below_title=below_title)
    st.info("The network is ready. An explanation needs a module for a category; train one:")
    if not is_public():
        training_starter.show_in_page(workspace)
        st.markdown("Or on the command line:")
    example = shlex.quote(format_category(workspace.dataset.categories[0]))
    show_command(f"python -m explorer train {path} --category {example}")
    if not is_public():
        st.caption("Then reload this page. `--all` instead of `--category` trains one for each.")


def _show_heading(text: str, *, below_title: bool) -> None:
    show = st.header if below_title else st.title
    show(text, anchor=False)
