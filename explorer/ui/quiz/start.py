"""The start of the quiz: introduction, settings, and the start button."""

import shlex

import streamlit as st

from explorer.quiz.questions import PHOTO_ONLY, Question, QuizSettings, compute_wrong_count
from explorer.ui.quiz import attempt
from explorer.ui.shared import links
from explorer.ui.shared.map_controls import show_map_controls
from explorer.ui.shared.state import MapStyle
from explorer.workspace.workspace import Workspace


def show_start(workspace: Workspace) -> None:
    """Show what the quiz is, its settings, and the button that starts it."""
    st.title("What bird is it?", anchor=False)
    birds = (
        "These birds are invented, so nobody knows them: small pictures show what each looks like."
        if workspace.is_painted
        else "Small pictures show what each bird looks like."
    )
    st.markdown(
        "Name the bird on photos that the network has never seen. On some you are also told the "
        "network's answer and shown what it rests on. **The network is sometimes wrong.** In the "
        f"end you see whether the explanations helped you or led you astray. {birds}"
    )
    if len(workspace.dataset.categories) < 2:
        st.info(
            "A quiz needs two categories or more, and this workspace has one. Make a workspace "
            "of a data set with more birds."
        )
        return
    modules = attempt.list_explainers(workspace)
    settings, has_feedback, participant = attempt.choose_settings(has_modules=bool(modules))
    questions = attempt.draw_quiz(workspace, modules, settings)
    if not questions:
        _show_no_questions(workspace)
        return
    _describe_questions(questions, settings)
    style = _choose_style(workspace, questions)
    session = attempt.make_session(
        workspace,
        questions,
        settings,
        modules,
        style,
        has_feedback=has_feedback,
        participant=participant,
    )
    st.button(
        "Start the quiz",
        type="primary",
        icon=":material/play_arrow:",
        key="quiz-start",
        on_click=attempt.start_session,
        args=(session,),
    )
    st.caption(
        "Your answers are timed by the program, without a rush. You may look at other pages and "
        "come back, but the clock goes on, and reloading the page in the browser ends the quiz."
    )
    st.header("Take it along", anchor=False)
    st.markdown("Whoever opens this link gets the same questions in the same order.")
    params = attempt.make_params(settings, has_feedback=has_feedback)
    style_params = links.make_style_params(style) if style else {}
    links.show_link(links.name_workspace() | params | style_params)


def _describe_questions(questions: tuple[Question, ...], settings: QuizSettings) -> None:
    """Describe the questions that were drawn, and any shortage."""
    count = len(questions)
    explained = sum(question.is_explained for question in questions)
    wrong = sum(not question.network_is_right for question in questions)
    wanted = compute_wrong_count(count, settings.wrong_share)
    st.markdown(
        f"**{count}** question{'' if count == 1 else 's'}, **{explained}** with an explanation. "
        f"The network is wrong on **{wrong}**."
    )
    if count < settings.questions:
        st.caption(f"There are no more than {count} photos to ask about.")
    elif wrong < wanted:
        st.caption(f"There are no more than {wrong} photos that the network gets wrong.")
    elif wrong > wanted:
        st.caption(f"There are no more than {count - wrong} photos that the network gets right.")


def _choose_style(workspace: Workspace, questions: tuple[Question, ...]) -> MapStyle | None:
    """Show the map controls if there will be maps; the style is fixed for the whole quiz."""
    if not any(question.is_explained for question in questions):
        return None
    with st.spinner("Loading the network …"):
        layers = list(workspace.networks.backbone.stops)
    return show_map_controls(layers)


def _show_no_questions(workspace: Workspace) -> None:
    st.info(
        "No photo can be asked with an explanation: that needs a held-out photo, one that the "
        f"network has not learnt from, whose answer by the network has a module. Choose "
        f"“{PHOTO_ONLY}” above, or train a module for each category and reload this page:"
    )
    path = shlex.quote(str(workspace.path))
    st.code(f"python -m explorer train {path} --all", language="bash", wrap_lines=True)
