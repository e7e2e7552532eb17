"""One question of a quiz: the photo, its explanation, the answers, and the feedback."""

import contextlib

import numpy as np
import streamlit as st

from explorer.config import ExplorerError
from explorer.data.names import name_categories
from explorer.data.photo import Photo
from explorer.nn.explanation import Explanation
from explorer.quiz.questions import Question, draw_references
from explorer.ui.quiz import attempt
from explorer.ui.quiz.attempt import QuizSession
from explorer.ui.shared import cached, drawings, pictures
from explorer.ui.shared.caching import cache_data
from explorer.ui.shared.errors import explain_error
from explorer.ui.shared.markdown import escape_markdown, format_contribution, format_signed
from explorer.ui.shared.shown_photo import DatasetPhoto
from explorer.workspace.workspace import Workspace

REFERENCE_COUNT = 3
MOST_MAPS = 6


def show_question(workspace: Workspace, session: QuizSession) -> None:
    """Show the current question, and start its clock once it is complete."""
    run = session.run
    question = run.questions[run.position]
    _show_progress(session)
    try:
        prepare(workspace, session, question)
    except ExplorerError as error:
        _show_unanswerable(session, error)
        return
    left, right = st.columns([5, 6], gap="large")
    with left:
        photo = workspace.dataset.get_photo(question.image_id)
        _show_photo(photo, "The photo of the bird to name")
        if question.is_explained:
            _show_explanation(workspace, session, question)
    with right:
        st.subheader("What bird is it?", anchor=False)
        _show_options(workspace, session, question)
    _show_exit(session)
    run.mark_shown(attempt.read_clock())
    if run.position + 1 < len(run.questions):
        # Computed while the visitor thinks. Errors are shown when the question comes up.
        with contextlib.suppress(ExplorerError):
            prepare(workspace, session, run.questions[run.position + 1])


def prepare(workspace: Workspace, session: QuizSession, question: Question) -> None:
    """Compute what a question shows, which fills the caches.

    Raises
    ------
    ExplorerError
        When its photo or its module cannot be read.
    """
    photo = workspace.dataset.get_photo(question.image_id)
    load_plain_photo(photo)
    if question.is_explained and session.style is not None:
        drawings.draw_tiles(
            workspace, session.modules[question.network], DatasetPhoto(photo), session.style
        )


@cache_data(256)
def load_plain_photo(photo: Photo) -> bytes:
    """Load a JPEG of a photo at display size, without its box."""
    image = cached.load_parts(photo).image
    return pictures.encode_jpeg(pictures.fit_for_display(image))


def _show_photo(photo: Photo, alt: str) -> None:
    with st.container(key="quiz-photo"):
        st.image(load_plain_photo(photo), width="stretch", alt=alt)


def _show_progress(session: QuizSession) -> None:
    run = session.run
    count = len(run.questions)
    st.progress(run.position / count, f"Question {run.position + 1} of {count}")


def _show_explanation(workspace: Workspace, session: QuizSession, question: Question) -> None:
    if session.style is None:
        return
    name = escape_markdown(_name(workspace, question.network))
    photo = workspace.dataset.get_photo(question.image_id)
    entry = session.modules[question.network]
    st.markdown(
        f"The network says **{name}**. It may be wrong. Bright places are what its score for "
        f"{name} rests on:"
    )
    explanation = cached.explain(workspace, entry, photo, session.style.layer)
    overlays = drawings.draw_tiles(workspace, entry, DatasetPhoto(photo), session.style)
    strongest = _list_strongest(explanation)
    with st.container(key="quiz-maps"):
        for feature in strongest:
            with st.container(key=f"quiz-map-{feature}", gap="xxsmall"):
                contribution = float(explanation.contributions[feature])
                st.image(
                    overlays.images[feature],
                    width="stretch",
                    alt=f"Heatmap of x-feature {feature + 1} over the photo, contribution "
                    f"{format_signed(contribution)}",
                )
                st.markdown(format_contribution(contribution, 1.0))
    st.caption(
        "Each picture is one x-feature. A blue number raises the score, an orange one lowers it."
        if strongest
        else "No x-feature is active on this photo, so there is no map to show."
    )


def _list_strongest(explanation: Explanation) -> list[int]:
    """List the x-features that are active on a photo, by decreasing contribution."""
    order = np.argsort(-np.abs(explanation.contributions), kind="stable")
    active = [int(feature) for feature in order if explanation.x_features[feature] > 0]
    return active[:MOST_MAPS]


def _show_options(workspace: Workspace, session: QuizSession, question: Question) -> None:
    position = session.run.position
    with st.container(key="quiz-options"):
        for number, category in enumerate(question.options, start=1):
            with st.container(key=f"quiz-option-{position}-{number}", gap="xsmall"):
                _show_references(workspace, category, session.settings.seed)
                st.button(
                    escape_markdown(_name(workspace, category)),
                    key=f"quiz-answer-{position}-{number}",
                    shortcut=str(number),
                    width="stretch",
                    on_click=attempt.record_answer,
                    args=(session, position, category),
                )
    kind = "paintings" if workspace.is_painted else "photos"
    st.caption(
        f"The small pictures show other {kind} of each bird, the same each time. Touch an answer "
        f"or press its number, 1 to {len(question.options)}. There is no way back."
    )


def _show_references(workspace: Workspace, category: int, seed: int) -> None:
    """Show training photos of a category for visitors who do not know the bird."""
    held_out = {photo.image_id for photo in workspace.held_out}
    photos = workspace.dataset.photos_of(workspace.dataset.categories[category])
    known = [photo.image_id for photo in photos if photo.image_id not in held_out]
    name = _name(workspace, category)
    with st.container(key=f"quiz-references-{category}"):
        for number, image_id in enumerate(draw_references(known, seed, REFERENCE_COUNT), start=1):
            try:
                picture = cached.load_thumbnail(workspace.dataset.get_photo(image_id))
            except ExplorerError:
                st.caption("This picture cannot be read.")
                continue
            st.image(picture, width="stretch", alt=f"Example {number} of {name}")


def _show_unanswerable(session: QuizSession, error: ExplorerError) -> None:
    st.error(
        f"This question cannot be shown. {explain_error(error)}",
        icon=":material/error:",
    )
    session.run.mark_shown(attempt.read_clock())
    st.button(
        "Go on without this question",
        key=f"quiz-skip-{session.run.position}",
        type="primary",
        on_click=attempt.record_answer,
        args=(session, session.run.position, None),
    )
    st.caption("It is left out of the score, and marked as left out in the file of results.")
    _show_exit(session)


def _show_exit(session: QuizSession) -> None:
    with st.popover("Stop this quiz", icon=":material/close:", key="quiz-stop", type="tertiary"):
        st.markdown("Your answers so far will be lost.")
        st.button(
            "Stop and go back to the start",
            key="quiz-stop-now",
            on_click=attempt.end_session,
            args=(session,),
        )


def show_feedback(workspace: Workspace, session: QuizSession, position: int) -> None:
    """Show whether the last answer was right, and a button to continue."""
    answer = session.run.answers[position]
    question = answer.question
    count = len(session.run.questions)
    st.progress((position + 1) / count, f"Question {position + 1} of {count}")
    truth, said, network = (
        escape_markdown(_name(workspace, category))
        for category in (question.truth, answer.chosen or 0, question.network)
    )
    left, right = st.columns([5, 6], gap="large")
    with left:
        photo = workspace.dataset.get_photo(question.image_id)
        _show_photo(photo, f"The photo of a {truth}")
    with right:
        if answer.is_right:
            st.subheader(f":green[Right:] it is a {truth}.", anchor=False)
        else:
            st.subheader(f":red[No:] it is a {truth}.", anchor=False)
            st.markdown(f"You said {said}.")
        verdict = "is right" if question.network_is_right else "is wrong"
        st.markdown(f"The network says {network}, and {verdict}.")
        st.button(
            "See how it went" if session.run.is_over else "Next question",
            key=f"quiz-next-{position}",
            type="primary",
            shortcut="Enter",
            on_click=attempt.close_feedback,
            args=(session,),
        )


def _name(workspace: Workspace, category: int) -> str:
    return name_categories(workspace.dataset.categories)[workspace.dataset.categories[category]]
