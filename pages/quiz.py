"""Guess the bird, with and without the network's explanation."""

from typing import TYPE_CHECKING

from explorer.ui.quiz import quiz_questions, quiz_results, quiz_start
from explorer.ui.quiz.attempt import get_session, keep_in_address
from explorer.ui.shared import components, empty
from explorer.workspace.workspace import Workspace

if TYPE_CHECKING:
    from explorer.ui.quiz.attempt import QuizSession


def show_page() -> None:
    """Show the start, the present question, or how it went."""
    workspace = empty.open_workspace_or_say_why()
    if workspace is None:
        return
    if not workspace.settings.classifier_sha256:
        empty.show_next_step(workspace)
        return
    components.load_page_style("quiz")
    session = get_session(workspace)
    if session is None:
        quiz_start.show_start(workspace)
    else:
        show_quiz(workspace, session)


def show_quiz(workspace: Workspace, session: "QuizSession") -> None:
    """Show where a quiz stands."""
    keep_in_address(session.settings, has_feedback=session.has_feedback)
    if session.feedback_on is not None:
        quiz_questions.show_feedback(workspace, session, session.feedback_on)
    elif not session.run.is_over:
        quiz_questions.show_question(workspace, session)
    else:
        quiz_results.show_results(workspace, session)


with components.error_boundary("Mend it and reload the page; a quiz then begins anew."):
    show_page()
