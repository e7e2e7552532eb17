"""The start of the quiz: introduction, settings, and the start button."""

from collections import Counter
from collections.abc import Mapping

import streamlit as st

from explorer.data.names import count_words
from explorer.quiz.questions import (
    CONDITIONS,
    EXPLAINED,
    Question,
    QuizSettings,
    compute_wrong_count,
    is_ever_wrong,
)
from explorer.ui.quiz import attempt, choosing, pool
from explorer.ui.shared import links
from explorer.ui.shared.empty import show_workspace_command
from explorer.ui.shared.map_controls import show_map_controls
from explorer.ui.shared.state import MapStyle
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace


def show_start(workspace: Workspace) -> None:
    """Show what the quiz is, its settings, and the button that starts it."""
    st.title("What bird is it?", anchor=False)
    introduction = st.empty()
    if len(workspace.dataset.categories) < 2:
        introduction.markdown(_introduce(workspace, ()))
        st.info(
            "A quiz needs at least two categories, and this workspace has one. Make a workspace "
            "from a data set with more."
        )
        return
    modules = attempt.list_explainers(workspace)
    settings, has_feedback, participant = choosing.choose_settings(has_modules=bool(modules))
    questions = attempt.draw_quiz(workspace, modules, settings)
    introduction.markdown(_introduce(workspace, questions))
    if not questions:
        _show_no_questions(workspace)
        return
    _describe_questions(questions, settings)
    style = _choose_style(workspace, modules, settings, has_feedback=has_feedback)
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
        "Answers are timed, but there is no time limit. You can visit other pages and come back; "
        "the clock keeps running. Reloading the page ends the quiz."
    )
    pool.show_pool()
    st.header("Download and share", anchor=False)
    st.markdown("Everybody who opens this link gets the same questions in the same order.")
    params = choosing.make_params(settings, has_feedback=has_feedback)
    style_params = links.make_style_params(style) if style else {}
    links.show_link(links.name_workspace() | params | style_params)


def _introduce(workspace: Workspace, questions: tuple[Question, ...]) -> str:
    """Say what the quiz is, and whether the network can be wrong in it."""
    birds = (
        "The birds are invented, so small pictures show what each looks like."
        if workspace.is_painted
        else "Small pictures show what each bird looks like."
    )
    if not questions:
        trust = ""
    elif is_ever_wrong(questions):
        trust = (
            "**The network is sometimes wrong.** At the end you see whether the explanations "
            "helped you or misled you. "
        )
    else:
        trust = (
            "**The network is right on all of them.** At the end you see whether the explanations "
            "helped you. "
        )
    return (
        "Name the bird in photos that are new to the network. With some you also see the "
        f"network's answer, or its answer and an explanation. {trust}{birds}"
    )


def _describe_questions(questions: tuple[Question, ...], settings: QuizSettings) -> None:
    """Describe the questions that were drawn, and any shortage."""
    count = len(questions)
    counts = Counter(question.condition for question in questions)
    each = ", ".join(f"**{counts[name]}** {name}" for name in CONDITIONS if counts[name])
    wrong = sum(not question.network_is_right for question in questions)
    wanted = compute_wrong_count(count, settings.wrong_share)
    outcome = f"wrong on **{wrong}**" if wrong else "right on **all**"
    st.markdown(f"**{count_words(count, 'question')}**: {each}. The network is {outcome}.")
    if count < settings.questions:
        st.caption(f"Only {count_words(count, 'photo')} can be asked about.")
    elif not wrong and wanted:
        st.caption("There is no photo to ask about that the network gets wrong.")
    elif wrong < wanted:
        st.caption(f"The network gets no more than {count_words(wrong, 'photo')} wrong.")
    elif wrong > wanted:
        st.caption(f"The network gets no more than {count_words(count - wrong, 'photo')} right.")


def _choose_style(
    workspace: Workspace,
    modules: Mapping[int, ModuleEntry],
    settings: QuizSettings,
    *,
    has_feedback: bool,
) -> MapStyle | None:
    """Show the map controls if there will be maps; the style is fixed for the whole quiz."""
    if not modules or not (settings.are_any_explained or has_feedback):
        return None
    with st.spinner("Loading the network …"):
        layers = list(workspace.networks.backbone.stops)
    return show_map_controls(layers)


def _show_no_questions(workspace: Workspace) -> None:
    st.info(
        "There is nothing to explain: no held-out photo gets an answer from the network that has "
        f"a module. Deselect “{EXPLAINED}” above, or train a module for each category and reload "
        "this page:"
    )
    show_workspace_command("train", workspace, "--all")
