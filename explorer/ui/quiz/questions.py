"""One question of a quiz: the photo, its explanation, the answers, and the feedback."""

import contextlib

import streamlit as st

from explorer.config import ExplorerError
from explorer.data.photo import Photo
from explorer.quiz.questions import Question, draw_references, is_ever_wrong
from explorer.ui.quiz import attempt
from explorer.ui.quiz.attempt import QuizSession
from explorer.ui.quiz.maps import name_category, show_maps
from explorer.ui.shared import cached, drawings, pictures
from explorer.ui.shared.caching import cache_data
from explorer.ui.shared.errors import error_boundary, explain_error
from explorer.ui.shared.markdown import escape_markdown
from explorer.ui.shared.shown_photo import DatasetPhoto
from explorer.workspace.workspace import Workspace

REFERENCE_COUNT = 3
_NEVER_WRONG = "It is right on all photos of this quiz."


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
    with st.container(key="quiz-question"):
        left, right = st.columns([5, 6], gap="large")
    with left:
        photo = workspace.dataset.get_photo(question.image_id)
        _show_photo(photo, "The photo of the bird to name")
        if question.shows_answer:
            _show_answer(workspace, session, question)
    with right:
        st.title("What bird is it?", anchor=False)
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


def _show_answer(workspace: Workspace, session: QuizSession, question: Question) -> None:
    """Show the network's answer, and what it rests on if the question comes with it."""
    name = escape_markdown(name_category(workspace, question.network))
    trust = "It may be wrong." if is_ever_wrong(session.run.questions) else _NEVER_WRONG
    st.markdown(f"The network says **{name}**. {trust}")
    if question.is_explained:
        st.markdown(f"Its score for {name} rests on the bright places:")
        show_maps(workspace, session, question.image_id, question.network)


def _show_options(workspace: Workspace, session: QuizSession, question: Question) -> None:
    position = session.run.position
    with st.container(key="quiz-options"):
        for number, category in enumerate(question.options, start=1):
            with st.container(key=f"quiz-option-{position}-{number}", gap="xsmall"):
                _show_references(workspace, category, session.settings.seed)
                st.button(
                    escape_markdown(name_category(workspace, category)),
                    key=f"quiz-answer-{position}-{number}",
                    shortcut=str(number),
                    width="stretch",
                    on_click=attempt.record_answer,
                    args=(session, position, category),
                )
    kind = "paintings" if workspace.is_painted else "photos"
    st.caption(f"The small pictures are other {kind} of each bird. You cannot go back.")
    with st.container(key="quiz-numbers"):
        st.caption(f"Choose an answer, or press its number, 1 to {len(question.options)}.")


def _show_references(workspace: Workspace, category: int, seed: int) -> None:
    """Show training photos of a category for visitors who do not know the bird."""
    held_out = {photo.image_id for photo in workspace.held_out}
    photos = workspace.dataset.photos_of(workspace.dataset.categories[category])
    known = [photo.image_id for photo in photos if photo.image_id not in held_out]
    name = name_category(workspace, category)
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
        "Skip this question",
        key=f"quiz-skip-{session.run.position}",
        type="primary",
        on_click=attempt.record_answer,
        args=(session, session.run.position, None),
    )
    st.caption("It does not count, and the file of results says that it was skipped.")
    _show_exit(session)


def _show_exit(session: QuizSession) -> None:
    with st.popover("Stop this quiz", icon=":material/close:", key="quiz-stop", type="tertiary"):
        st.markdown("Your answers so far will be lost.")
        st.button(
            "Stop",
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
        escape_markdown(name_category(workspace, category))
        for category in (question.truth, answer.chosen or 0, question.network)
    )
    left, right = st.columns([5, 6], gap="large")
    with left:
        photo = workspace.dataset.get_photo(question.image_id)
        _show_photo(photo, f"The photo: {name_category(workspace, question.truth)}")
    with right:
        st.title(f":green[Right:] {truth}" if answer.is_right else f"It was: {truth}", anchor=False)
        if not answer.is_right:
            st.markdown(f"You said {said}.")
        verdict = "right, too" if answer.is_right else "right"
        verdict = verdict if question.network_is_right else "wrong"
        st.markdown(f"The network said {network}: {verdict}.")
        st.button(
            "See how it went" if session.run.is_over else "Next question",
            key=f"quiz-next-{position}",
            type="primary",
            shortcut="Enter",
            on_click=attempt.close_feedback,
            args=(session,),
        )
    with error_boundary("The quiz goes on all the same."):
        _show_reasons(workspace, session, question)


def _show_reasons(workspace: Workspace, session: QuizSession, question: Question) -> None:
    """Show what spoke for the network's answer, and for the right one if that is another."""
    for category in dict.fromkeys((question.network, question.truth)):
        if session.style is not None and category in session.modules:
            name = escape_markdown(name_category(workspace, category))
            st.header(f"What speaks for {name}", anchor=False)
            show_maps(workspace, session, question.image_id, category)
