"""What a page shows in place of something not computed yet: the command that computes it."""

import shlex

import streamlit as st

from explorer.config import is_public
from explorer.workspace.workspace import Workspace


def show_no_metrics(workspace: Workspace) -> None:
    """Say that a module has not been measured, and show the command that measures it."""
    st.info("This module has not been measured yet. Measure all modules, then reload this page:")
    show_command(f"python -m explorer evaluate {shlex.quote(str(workspace.path))}")


def show_command(command: str) -> None:
    """Show a command to type; visitors of a public server cannot run it, and see no folders."""
    if is_public():
        st.markdown("Whoever runs this server can do so.")
        return
    st.code(command, language="bash", wrap_lines=True)
