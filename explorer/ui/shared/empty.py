"""What a page shows when there is nothing to show yet: what is missing, and the next command."""

import shlex

import streamlit as st

from explorer.config import WORKSPACE_VARIABLE, ExplorerError, is_public
from explorer.data.cub import format_category
from explorer.ui.shared import cached, state
from explorer.ui.shared.components import explain_error
from explorer.ui.shared.state import Selection
from explorer.ui.training import form, trainings
from explorer.workspace.workspace import Workspace


def open_workspace_or_say_why(*, below_title: bool = False) -> Workspace | None:
    """Open the workspace; where that fails, show the reason and what to do, and return None.

    With `below_title`, the page has a title already, and this is a section of it.
    """
    try:
        return cached.open_workspace()
    except ExplorerError as error:
        _show_heading("No workspace yet", below_title=below_title)
        st.error(explain_error(error), icon=":material/error:")
    if is_public():
        st.markdown("Whoever runs this server can mend it.")
        return None
    trainings.show_last_word(state.get_workspace_path())
    path = shlex.quote(str(state.get_workspace_path()))
    st.markdown("Build the demo with painted birds (some minutes, nothing is downloaded):")
    _show_command("python -m explorer demo")
    st.markdown("Or make a workspace of your own copy of CUB-200-2011 and start the app on it:")
    _show_command(
        "python -m explorer new my-birds --cub CUB_200_2011\n"
        f"{WORKSPACE_VARIABLE}=my-birds streamlit run explorer/app.py"
    )
    st.caption(f"Looked in `{path}`.")
    return None


def open_selection_or_say_why() -> tuple[Workspace, Selection] | None:
    """Open the workspace and the chosen module; where one is missing, show what to do."""
    workspace = open_workspace_or_say_why()
    if workspace is None:
        return None
    selection = state.get_selection()
    if selection is None:
        show_next_step(workspace)
        return None
    return workspace, selection


def show_next_step(workspace: Workspace, *, below_title: bool = False) -> None:
    """Say what a workspace without modules lacks, and the command that makes it."""
    path = shlex.quote(str(workspace.path))
    if not workspace.settings.classifier_sha256:
        _show_heading("No network yet", below_title=below_title)
        st.info("This workspace has birds but no classifier to explain. Train one:")
        _show_command(f"python -m explorer finetune {path}")
        return
    _show_heading("No module yet", below_title=below_title)
    st.info("The network is ready. An explanation needs a module for a category; train one:")
    if not is_public():
        form.show_quick_start(workspace)
        st.markdown("Or on the command line:")
    example = shlex.quote(format_category(workspace.dataset.categories[0]))
    _show_command(f"python -m explorer train {path} --category {example}")
    if not is_public():
        st.caption("Then reload this page. `--all` instead of `--category` trains one for each.")


def show_no_metrics(workspace: Workspace) -> None:
    """Say that a module has not been measured, and the command that does."""
    st.info("This module has not been measured yet. Measure all modules, then reload this page:")
    _show_command(f"python -m explorer evaluate {shlex.quote(str(workspace.path))}")


def _show_heading(text: str, *, below_title: bool) -> None:
    show = st.header if below_title else st.title
    show(text, anchor=False)


def _show_command(command: str) -> None:
    if is_public():  # it would name a folder of the server, and is not for visitors
        st.markdown("Whoever runs this server can do so.")
        return
    st.code(command, language="bash", wrap_lines=True)
