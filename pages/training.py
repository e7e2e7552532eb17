"""Trainings: the queue, curves while they run, and their outcome."""

import streamlit as st

from explorer.config import PUBLIC_VARIABLE, is_public
from explorer.ui.shared import training_status
from explorer.ui.shared.errors import error_boundary
from explorer.ui.shared.opening import open_workspace_or_say_why, show_next_step
from explorer.ui.training import details, form


def show_public_notice() -> None:
    """Say why visitors cannot train here, and how to train elsewhere."""
    st.title("Training", anchor=False)
    st.info(
        "This is a public server. Its visitors can look at modules, compare them and upload "
        "photos, but cannot train modules.",
        icon=":material/lock:",
    )
    st.markdown(
        "To train modules, run the explorer on your own computer. Whoever runs this server can "
        "train on the command line, with `python -m explorer train`, or in another app that is "
        f"started without `{PUBLIC_VARIABLE}`. New modules then appear here."
    )


def show_page() -> None:
    """Show the trainings of the open workspace."""
    if is_public():
        show_public_notice()
        return
    workspace = open_workspace_or_say_why()
    if workspace is None:
        return
    if not workspace.settings.classifier_sha256:
        show_next_step(workspace)
        return
    st.title("Training", anchor=False)
    st.markdown(
        "Modules are trained in the background: you can visit other pages, close this one or stop "
        "the app. Trainings on the same device run one after the other."
    )
    st.header("New training", anchor=False)
    place = st.container()
    st.header("Trainings", anchor=False)
    training_status.show_polled(details.show_trainings, workspace, "page")
    with place:
        form.show_form(workspace)


with error_boundary("Reload the page. This does not affect running trainings."):
    show_page()
