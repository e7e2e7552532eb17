"""The settings of a quiz: their widgets, and the parameters of the address that hold them."""

from collections.abc import Mapping, Sequence

import streamlit as st

from explorer.quiz.questions import (
    ANSWERED,
    CONDITIONS,
    EXPLAINED,
    MAX_OPTIONS,
    MAX_QUESTIONS,
    PHOTO_ONLY,
    QuizSettings,
)
from explorer.ui.shared import state

QUESTIONS, SEED, WRONG = "quiz_questions", "quiz_seed", "quiz_wrong"
OPTIONS, CONDITION, FEEDBACK = "quiz_options", "quiz_condition", "quiz_feedback"
PARTICIPANT = "quiz_participant"
HIGHEST_SEED = 999_999
_OPTION_COUNTS = tuple(str(count) for count in range(2, MAX_OPTIONS + 1))
_DEFAULTS = QuizSettings()

_LINK_OF_HALVES = "half and half"  # in links made before answers came without an explanation

QUIZ_HELP: Mapping[str, str] = {
    "conditions": (
        "Choose one or more; questions are divided evenly among them, in mixed order. The photo "
        "only, the photo with the network's answer, which may be wrong, or also with heatmaps of "
        "what that answer rests on. An explanation gives the answer away, so only the comparison "
        "with the answer alone tells what the explanation adds."
    ),
    "seed": "The same number gives everybody the same photos in the same order.",
    "wrong": (
        "How many photos the network itself gets wrong. They show whether people trust it too "
        "much. If there are too few such photos, the quiz has fewer."
    ),
    "options": "How many birds there are to choose from.",
    "feedback": (
        "Tells the right answer after each question, with heatmaps. People learn from it, so "
        "leave it off for a study."
    ),
    "participant": "Stored only in the file of results. Please do not use a real name.",
}


def write_address(settings: QuizSettings, *, has_feedback: bool) -> None:
    """Write the settings of a quiz into the address.

    The widgets are not bound to the address, because bound ones disappear from it while they are
    hidden, and return with the values of the first visit.
    """
    params = make_params(settings, has_feedback=has_feedback)
    st.query_params.update({name: str(value) for name, value in params.items()})


def make_params(settings: QuizSettings, *, has_feedback: bool) -> dict[str, str | int]:
    """Return the settings of a quiz as parameters of the address."""
    return {
        CONDITION: _join(settings.conditions),
        QUESTIONS: settings.questions,
        SEED: settings.seed,
        WRONG: settings.wrong_share,
        OPTIONS: settings.options,
        FEEDBACK: str(has_feedback).lower(),
    }


def choose_settings(*, has_modules: bool) -> tuple[QuizSettings, bool, str]:
    """Show the settings of a quiz; return them, whether there is feedback, and the code."""
    with st.container(horizontal=True, key="quiz-settings", vertical_alignment="bottom"):
        conditions = st.pills(
            "What you see",
            CONDITIONS,
            selection_mode="multi",
            default=_read_conditions(CONDITIONS if has_modules else (PHOTO_ONLY, ANSWERED)),
            key=CONDITION,
            help=QUIZ_HELP["conditions"],
        )
        questions = st.number_input(
            "Questions",
            1,
            MAX_QUESTIONS,
            _read_number(QUESTIONS, 1, MAX_QUESTIONS, _DEFAULTS.questions, "number of questions"),
            key=QUESTIONS,
            width=160,
        )
    with st.expander(":material/groups: For a class or a study", key="quiz-study"):
        settings, has_feedback, participant = _choose_details(
            int(questions), tuple(conditions) or (PHOTO_ONLY,)
        )
    write_address(settings, has_feedback=has_feedback)
    return settings, has_feedback, participant


def _choose_details(questions: int, conditions: tuple[str, ...]) -> tuple[QuizSettings, bool, str]:
    with st.container(horizontal=True, key="quiz-details", vertical_alignment="bottom"):
        seed = st.number_input(
            "Seed",
            0,
            HIGHEST_SEED,
            _read_number(SEED, 0, HIGHEST_SEED, _DEFAULTS.seed, "seed"),
            key=SEED,
            help=QUIZ_HELP["seed"],
            width=160,
        )
        options = st.segmented_control(
            "Answers to choose from",
            _OPTION_COUNTS,
            default=_read_choice(
                OPTIONS, _OPTION_COUNTS, str(_DEFAULTS.options), "number of answers"
            ),
            required=True,
            key=OPTIONS,
            help=QUIZ_HELP["options"],
        )
        participant = st.text_input(
            "Participant's code (optional)",
            max_chars=40,
            key=PARTICIPANT,
            persist_state="session",
            help=QUIZ_HELP["participant"],
            width=240,
        )
    wrong_share = st.slider(
        "Photos that the network gets wrong",
        0,
        100,
        _read_number(WRONG, 0, 100, _DEFAULTS.wrong_share, "share of photos"),
        format="%d%%",
        key=WRONG,
        help=QUIZ_HELP["wrong"],
    )
    has_feedback = st.toggle(
        "Tell the right answer after each question",
        _read_choice(FEEDBACK, ("true", "false"), "false", "way of judging answers") == "true",
        key=FEEDBACK,
        help=QUIZ_HELP["feedback"],
    )
    settings = QuizSettings(questions, int(seed), wrong_share, int(str(options)), conditions)
    return settings, has_feedback, _clean_code(participant)


def _join(conditions: Sequence[str]) -> str:
    return ", ".join(conditions)


def _read_conditions(usual: Sequence[str]) -> list[str]:
    """Read the conditions from the address, with a warning if any is unknown."""
    asked = st.query_params.get(CONDITION, "")
    if asked == _LINK_OF_HALVES:
        return [PHOTO_ONLY, EXPLAINED]
    found = [one for one in CONDITIONS if one in asked.split(", ")]
    state.check_param(CONDITION, [_join(found)], "kind of quiz")
    return found or list(usual)


def _read_choice(key: str, labels: Sequence[str], default: str, what: str) -> str:
    """Read a choice from the address, with a warning if it is unknown."""
    state.check_param(key, labels, what)
    asked = st.query_params.get(key, default)
    return asked if asked in labels else default


def _read_number(key: str, low: int, high: int, default: int, what: str) -> int:
    """Read a number from the address, with a warning if it is invalid."""
    asked = st.query_params.get(key, str(default))
    # Longer texts are out of range, and slow to convert.
    is_known = asked.isascii() and asked.isdecimal() and len(asked) < 9
    is_known = is_known and low <= int(asked) <= high
    state.check_param(key, [asked] if is_known else [], what)
    return int(asked) if is_known else default


def _clean_code(text: str) -> str:
    """Remove what is not safe in file names or spreadsheets from a participant's code."""
    return "".join(c for c in text if c.isalnum() or c in " _-.").strip(" -.")
