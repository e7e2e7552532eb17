"""The results of a quiz: score, time and trust by condition, a review, and files."""

import json
from functools import partial

import streamlit as st

from explorer.data.names import add_article, name_categories
from explorer.quiz.answers import Answer, Share, make_records, summarise
from explorer.quiz.pooling import FORMAT
from explorer.quiz.questions import CONDITIONS
from explorer.storage import packing
from explorer.ui.quiz import attempt
from explorer.ui.quiz.attempt import QuizSession
from explorer.ui.shared import cached, links
from explorer.ui.shared.errors import error_boundary
from explorer.ui.shared.markdown import escape_markdown
from explorer.ui.shared.names import name_photo
from explorer.workspace.workspace import Workspace

_HELP = {
    "right": "Birds that you named correctly, of the questions of this kind.",
    "time": "Half of your answers took less time than this, from when the question was shown.",
    "wrong": (
        "Photos that the network gets wrong, and how often you gave the same wrong answer. If that "
        "is more often with an explanation than with the answer alone, the explanation made you "
        "trust the network too much."
    ),
    "right_network": (
        "Photos that the network gets right, and how often you agreed. Higher with an explanation "
        "than with the answer alone means that it earned your trust."
    ),
}


def show_results(workspace: Workspace, session: QuizSession) -> None:
    """Show all results."""
    answers = session.run.answers
    overall = summarise(answers)
    st.title(f"You named {overall.right.count} of {overall.right.total} birds", anchor=False)
    given = [answer for answer in answers if answer.chosen is not None]
    network = sum(answer.question.network_is_right for answer in given)
    left_out = len(answers) - len(given)
    st.markdown(
        f"The network named {network} of these {len(given)}."
        + (f" {left_out} skipped: they could not be shown." if left_out else "")
    )
    _show_conditions(answers)
    st.caption(
        "95% CI: the Wilson interval, in which the true share probably lies. It is wide after one "
        "short quiz. To learn whether explanations help, pool the JSON files of a class on the "
        "first page of the quiz."
    )
    _show_files(workspace, session)
    st.header("Each question again", anchor=False)
    _show_review(workspace, session)


def _show_conditions(answers: list[Answer]) -> None:
    """Show the measures of each condition that occurred, side by side."""
    by_condition = {
        name: [answer for answer in answers if answer.question.condition == name]
        for name in CONDITIONS
    }
    shown = {name: group for name, group in by_condition.items() if group}
    for column, (name, group) in zip(st.columns(len(shown)), shown.items(), strict=True):
        summary = summarise(group)
        with column.container(border=True, key=f"quiz-condition-{name.split()[-1]}"):
            st.header(name.capitalize(), anchor=False)
            _show_share("Birds named", summary.right, "right")
            seconds = summary.median_seconds
            st.metric(
                "Median time",
                "–" if seconds is None else f"{seconds:.1f} s",
                help=_HELP["time"],
            )
            _show_share("Agreed with the network when wrong", summary.followed_wrong, "wrong")
            _show_share(
                "Agreed with the network when right", summary.followed_right, "right_network"
            )


def _show_share(label: str, share: Share, help_name: str) -> None:
    with st.container(gap=None):
        if share.total == 0:
            st.metric(label, "–", help=_HELP[help_name])
            st.caption("No such question.")
            return
        low, high = share.interval
        st.metric(label, f"{share.count} of {share.total}", help=_HELP[help_name])
        st.caption(f"{share.count / share.total:.0%} (95% CI {low:.0%} to {high:.0%})")


def _show_files(workspace: Workspace, session: QuizSession) -> None:
    stem = packing.make_stem(
        "srae-quiz", f"seed-{session.settings.seed}", session.participant or "anonymous"
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.download_button(
            "Results (CSV)",
            data=partial(make_results_csv, workspace, session),
            file_name=f"{stem}.csv",
            mime="text/csv",
            icon=":material/table:",
            on_click="ignore",
            key="quiz-csv",
        )
        st.download_button(
            "Results (JSON)",
            data=partial(make_results_json, workspace, session),
            file_name=f"{stem}.json",
            mime="application/json",
            icon=":material/data_object:",
            on_click="ignore",
            key="quiz-json",
        )
        st.button(
            "Play again",
            icon=":material/replay:",
            type="primary",
            key="quiz-again",
            on_click=attempt.end_session,
            args=(session,),
            help="With other photos: the seed goes up by one.",
        )


def _show_review(workspace: Workspace, session: QuizSession) -> None:
    with st.container(key="quiz-review"):
        for number, answer in enumerate(session.run.answers, start=1):
            with st.container(key=f"quiz-answered-{number}", gap="xxsmall"), error_boundary():
                _show_answer(workspace, session, number, answer)


def _show_answer(workspace: Workspace, session: QuizSession, number: int, answer: Answer) -> None:
    question = answer.question
    names = list(name_categories(workspace.dataset.categories).values())
    truth, network = (escape_markdown(names[i]) for i in (question.truth, question.network))
    verdict = f":green[right], {network}" if question.network_is_right else f":red[{network}]"
    if answer.chosen is None:
        said = ":gray[skipped]"
    elif answer.is_right:
        said = f":green[right] in {answer.seconds:.1f} s"
    else:
        said = f":red[{escape_markdown(names[answer.chosen])}] in {answer.seconds:.1f} s"
    photo = workspace.dataset.get_photo(question.image_id)
    entry = session.modules.get(question.network) or session.modules.get(question.truth)
    try:
        picture = cached.load_thumbnail(photo)
        st.image(
            picture, width="stretch", alt=f"Question {number}: {add_article(names[question.truth])}"
        )
    finally:
        st.markdown(
            f"**{number}. {truth}**  \nYou: {said}  \nNetwork: {verdict}  \n"
            f":gray[{question.condition}]"
        )
    if entry is not None:
        links.show_photo_link(workspace, entry, photo, name_photo(workspace, photo))


def make_results_csv(workspace: Workspace, session: QuizSession) -> bytes:
    """Write one line per question as CSV, each with the facts of the whole quiz."""
    records = _describe_answers(workspace, session)
    quiz_wide = _describe_quiz(workspace, session)
    lines = [quiz_wide | record | {"options": " | ".join(_as_list(record))} for record in records]
    columns = {name: [_as_text(line[name]) for line in lines] for name in lines[0]}
    return packing.make_csv(columns)


def make_results_json(workspace: Workspace, session: QuizSession) -> bytes:
    """Write the quiz and its questions as one JSON object."""
    content = {
        "format": FORMAT,
        "quiz": _describe_quiz(workspace, session),
        "questions": _describe_answers(workspace, session),
    }
    return json.dumps(content, indent=1, ensure_ascii=False).encode()


def _describe_quiz(workspace: Workspace, session: QuizSession) -> dict[str, object]:
    settings, style = session.settings, session.style
    return {
        "participant": session.participant,
        "started": session.started,
        "workspace": workspace.path.name,
        "classifier_sha256": workspace.settings.classifier_sha256,
        "seed": settings.seed,
        "questions_wanted": settings.questions,
        "wrong_share_wanted": settings.wrong_share / 100,
        "options_wanted": settings.options,
        "quiz_condition": ", ".join(settings.conditions),
        "feedback_after_each": session.has_feedback,
        "map_layer": None if style is None else style.layer,
        "map_colours": None if style is None else style.colours,
        "map_opacity": None if style is None else style.opacity / 100,
        "map_scale": None if style is None else style.scale,
        "map_view": None if style is None else style.view,
        "map_cropped": None if style is None else style.is_cropped,
        "map_smoothed": None if style is None else style.smooth,
    }


def _describe_answers(workspace: Workspace, session: QuizSession) -> list[dict[str, object]]:
    answers = session.run.answers
    records = make_records(answers, workspace.dataset.categories)
    for record, answer in zip(records, answers, strict=True):
        question = answer.question
        entry = session.modules[question.network] if question.is_explained else None
        record["module"] = None if entry is None else entry.run
    return records


def _as_list(record: dict[str, object]) -> list[str]:
    options = record["options"]
    return [str(option) for option in options] if isinstance(options, list) else []


def _as_text(value: object) -> object:
    """Convert booleans to 1 and 0, which all spreadsheets understand, and None to empty text."""
    if isinstance(value, bool):
        return int(value)
    return "" if value is None else value
