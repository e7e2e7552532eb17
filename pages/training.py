"""Trainings from the sidebar: the queue, curves while they run, and what became of them."""

import streamlit as st

from explorer.ui import components, empty, training, training_details


def show_page() -> None:
    """Show the trainings of the open workspace."""
    workspace = empty.open_workspace_or_say_why()
    if workspace is None:
        return
    if not workspace.settings.classifier_sha256:
        empty.show_next_step(workspace)
        return
    st.title("Training", anchor=False)
    st.markdown(
        "Modules are trained in a process of their own: you may browse on, close this page or stop "
        "the app, and come back. Trainings on the same device take turns, the oldest first."
    )
    training.show_polled(training_details.show_trainings, workspace, "page")


with components.error_boundary("Reload the page; a training that runs is not touched by this."):
    show_page()
