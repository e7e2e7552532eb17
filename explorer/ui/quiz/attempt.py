"""The quiz that a visitor is taking, from drawing its questions to its end."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
import streamlit as st

from explorer.methods.runs import sort_modules
from explorer.quiz.answers import QuizRun
from explorer.quiz.questions import Question, QuizSettings, draw_questions, select_candidates
from explorer.ui.quiz.choosing import HIGHEST_SEED, write_address
from explorer.ui.shared import caching, scores
from explorer.ui.shared.state import MapStyle
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace

_SESSION = "quiz_session"


@dataclass
class QuizSession:
    """A quiz that a visitor is taking.

    Attributes
    ----------
    run : QuizRun
        Questions and answers.
    settings : QuizSettings
        Settings that the questions were drawn with.
    modules : Mapping
        Module that explains each category, by the category's index in ``classes.txt``.
    style : MapStyle or None
        How maps are drawn during the whole quiz; None if there are none.
    has_feedback : bool
        Whether each answer is judged immediately.
    participant : str
        A code, or empty.
    started : str
        Date and time in UTC, ISO 8601.
    classifier : tuple
        From `caching.make_workspace_key`.
    feedback_on : int or None
        Index of the answer that is being judged.
    """

    run: QuizRun
    settings: QuizSettings
    modules: Mapping[int, ModuleEntry]
    style: MapStyle | None
    has_feedback: bool
    participant: str
    started: str
    classifier: caching.Key
    feedback_on: int | None = None


def read_clock() -> float:
    """Read a monotonic clock, in seconds."""
    return time.monotonic()


def get_session(workspace: Workspace) -> QuizSession | None:
    """Return the current quiz; None if there is none, or the network has changed since."""
    session: QuizSession | None = st.session_state.get(_SESSION)
    if session is not None and session.classifier != caching.make_workspace_key(workspace):
        del st.session_state[_SESSION]
        return None
    return session


def start_session(session: QuizSession) -> None:
    """Start a quiz."""
    st.session_state[_SESSION] = session


def record_answer(session: QuizSession, position: int, chosen: int | None) -> None:
    """Record the answer to the question at `position`."""
    session.run.give_answer(position, chosen, read_clock())
    if session.has_feedback and chosen is not None and session.run.position == position + 1:
        session.feedback_on = position


def close_feedback(session: QuizSession) -> None:
    """Close the feedback on an answer."""
    session.feedback_on = None


def end_session(session: QuizSession) -> None:
    """Return to the settings; after the last question, the seed is increased for other photos."""
    settings = session.settings
    if session.run.is_over:
        settings = replace(settings, seed=(settings.seed + 1) % (HIGHEST_SEED + 1))
    write_address(settings, has_feedback=session.has_feedback)
    del st.session_state[_SESSION]


def list_explainers(workspace: Workspace) -> dict[int, ModuleEntry]:
    """Return the module of each category that has one, preferring the default method."""
    explainers: dict[int, ModuleEntry] = {}
    for entry in sort_modules(workspace.list_modules()):
        explainers.setdefault(workspace.dataset.categories.index(entry.category), entry)
    return explainers


def draw_quiz(
    workspace: Workspace, modules: Mapping[int, ModuleEntry], settings: QuizSettings
) -> tuple[Question, ...]:
    """Draw questions from the held-out photos; the same settings give the same questions."""
    features = scores.load_features(workspace)
    labels = {photo.image_id: photo.category_index for photo in workspace.dataset.photos}
    held_out = [photo.image_id for photo in workspace.held_out]
    has_module = np.isin(np.arange(len(workspace.dataset.categories)), list(modules))
    logits = np.asarray(features.logits)
    is_candidate = select_candidates(
        logits,
        np.isin(features.image_ids, held_out),
        has_module,
        are_any_explained=settings.are_any_explained,
    )
    label_rows = np.array([labels[int(image_id)] for image_id in features.image_ids])
    return draw_questions(logits, label_rows, features.image_ids, is_candidate, settings)


def make_session(
    workspace: Workspace,
    questions: tuple[Question, ...],
    settings: QuizSettings,
    modules: Mapping[int, ModuleEntry],
    style: MapStyle | None,
    *,
    has_feedback: bool,
    participant: str,
) -> QuizSession:
    """Make a quiz that starts now."""
    return QuizSession(
        run=QuizRun(questions),
        settings=settings,
        modules=modules,
        style=style,
        has_feedback=has_feedback,
        participant=participant,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        classifier=caching.make_workspace_key(workspace),
    )
