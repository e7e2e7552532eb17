"""Guess the bird, with and without the network's explanation."""

import streamlit as st

from explorer.ui.quiz import pool, questions, results, start
from explorer.ui.quiz.attempt import QuizSession, get_session
from explorer.ui.quiz.choosing import write_address
from explorer.ui.shared.empty import show_no_photos, show_own_photo_link
from explorer.ui.shared.errors import error_boundary
from explorer.ui.shared.opening import open_workspace_or_say_why, show_next_step
from explorer.ui.shared.styles import load_page_style
from explorer.workspace.workspace import Workspace


def show_page() -> None:
    """Show the start, the current question, or the results; without photos, those of a class."""
    workspace = open_workspace_or_say_why()
    if workspace is None:
        return
    if not workspace.settings.classifier_sha256:
        show_next_step(workspace)
        return
    if not workspace.dataset.has_photos:
        st.title("What bird is it?", anchor=False)
        st.markdown("The quiz asks you to name birds on photos.")
        show_no_photos(workspace, "Without them there is nothing to ask.")
        show_own_photo_link()
        pool.show_pool()
        return
    load_page_style("quiz")
    session = get_session(workspace)
    if session is None:
        start.show_start(workspace)
    else:
        show_quiz(workspace, session)


def show_quiz(workspace: Workspace, session: QuizSession) -> None:
    """Show the current state of a quiz."""
    write_address(session.settings, has_feedback=session.has_feedback)
    if session.feedback_on is not None:
        questions.show_feedback(workspace, session, session.feedback_on)
    elif not session.run.is_over:
        questions.show_question(workspace, session)
    else:
        results.show_results(workspace, session)


with error_boundary(repair="Repair it and reload the page; a quiz then begins anew."):
    show_page()
