"""Pooling the result files of several people: shares by condition, and differences within people.

People differ more than questions do, so each person counts once, and intervals are over people.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import msgspec

from explorer.config import ExplorerError
from explorer.quiz.answers import Answer, Summary, summarise
from explorer.quiz.questions import CONDITIONS, Question

FORMAT = 1
"""The format of result files that this version writes and reads."""

RIGHT, FOLLOWED_WRONG, FOLLOWED_RIGHT, SECONDS = (
    "Birds named",
    "Agreed with the network when wrong",
    "Agreed with the network when right",
    "Median time in seconds",
)
MEASURES: Mapping[str, Callable[[Summary], float | None]] = {
    RIGHT: lambda summary: summary.right.fraction,
    FOLLOWED_WRONG: lambda summary: summary.followed_wrong.fraction,
    FOLLOWED_RIGHT: lambda summary: summary.followed_right.fraction,
    SECONDS: lambda summary: summary.median_seconds,
}
"""What is measured of each person under each condition; None where it is undefined."""

_MOST_QUESTIONS = 1000


class _Quiz(msgspec.Struct):
    participant: str
    started: str
    classifier_sha256: str


class _Asked(msgspec.Struct):
    image_id: int
    condition: str
    true_category: str
    network_answer: str
    answer: str | None
    seconds: float | None


class _File(msgspec.Struct):
    format: int
    quiz: _Quiz
    questions: list[_Asked]


@dataclass(frozen=True)
class Sheet:
    """The answers of one person in one quiz.

    Attributes
    ----------
    participant : str
        The person's code; may be empty.
    started : str
        Date and time in UTC, ISO 8601.
    network : str
        SHA-256 of the network's weights.
    answers : tuple of Answer
        At least one that was given. Categories are numbered within the file.
    """

    participant: str
    started: str
    network: str
    answers: tuple[Answer, ...]


def read_sheet(content: bytes) -> Sheet:
    """Read a file of results in JSON, as the quiz offers it.

    Raises
    ------
    ExplorerError
        When it is no such file, or holds no answer.
    """
    try:
        file = msgspec.json.decode(content, type=_File)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ExplorerError(
            "It is not a file of quiz results. Take the files that “Results (JSON)” gives."
        ) from error
    if file.format != FORMAT:
        raise ExplorerError(f"Its format is {file.format}, and this version reads {FORMAT}.")
    if len(file.questions) > _MOST_QUESTIONS:
        raise ExplorerError(f"It has more than {_MOST_QUESTIONS:,} questions.")
    numbers: dict[str, int] = {}
    answers = tuple(_make_answer(asked, numbers) for asked in file.questions)
    if all(answer.chosen is None for answer in answers):
        raise ExplorerError("It holds no answer.")
    about = file.quiz
    return Sheet(about.participant, about.started, about.classifier_sha256, answers)


def _make_answer(asked: _Asked, numbers: dict[str, int]) -> Answer:
    def number(category: str) -> int:
        return numbers.setdefault(category, len(numbers))

    seconds = asked.seconds or 0.0
    if asked.condition not in CONDITIONS or not 0 <= seconds < math.inf:
        raise ExplorerError("One of its questions is damaged.")
    truth, network = number(asked.true_category), number(asked.network_answer)
    question = Question(asked.image_id, truth, network, (truth, network), asked.condition)
    return Answer(question, None if asked.answer is None else number(asked.answer), seconds)


def name_sheets(sheets: Sequence[Sheet]) -> dict[str, Sheet]:
    """Name sheets by their participants' codes; all names differ, and copies are left out."""
    named: dict[str, Sheet] = {}
    for sheet in dict.fromkeys(sheets):
        plain = sheet.participant or "anonymous"
        repeats = sum(name.split(", quiz ")[0] == plain for name in named)
        named[f"{plain}, quiz {repeats + 1}" if repeats else plain] = sheet
    return named


def measure_people(sheets: Mapping[str, Sheet], measure: str) -> dict[str, dict[str, float]]:
    """Compute a measure of each person under each condition.

    Parameters
    ----------
    sheets : Mapping
        Sheets by name.
    measure : str
        A name in `MEASURES`.

    Returns
    -------
    dict of str to dict
        Conditions that occurred to names and values, without people for whom it is undefined.
    """
    found: dict[str, dict[str, float]] = {}
    for condition in CONDITIONS:
        values = {
            name: value
            for name, sheet in sheets.items()
            if (value := MEASURES[measure](_summarise(sheet.answers, condition))) is not None
        }
        if values:
            found[condition] = values
    return found


def _summarise(answers: Iterable[Answer], condition: str) -> Summary:
    return summarise(answer for answer in answers if answer.question.condition == condition)


def list_differences(
    values: Mapping[str, Mapping[str, float]],
) -> dict[tuple[str, str], list[float]]:
    """Return how much higher each person's value is under a later condition than an earlier one.

    Parameters
    ----------
    values : Mapping
        From `measure_people`.

    Returns
    -------
    dict of (str, str) to list of float
        (later, earlier) condition to the differences of people who have both; pairs without any
        are left out.
    """
    found = {}
    for earlier, later in combinations(values, 2):
        both = [name for name in values[later] if name in values[earlier]]
        if both:
            found[later, earlier] = [values[later][name] - values[earlier][name] for name in both]
    return found


def make_columns(sheets: Mapping[str, Sheet]) -> dict[str, list[Any]]:
    """Arrange all answers that were given as the columns of a table, one row per answer."""
    rows = [
        (
            name,
            sheet.started,
            answer.question.image_id,
            answer.question.condition,
            int(answer.question.network_is_right),
            int(answer.is_right),
            int(answer.follows_network),
            answer.seconds,
        )
        for name, sheet in sheets.items()
        for answer in sheet.answers
        if answer.chosen is not None
    ]
    names = (
        *("participant", "started", "image_id", "condition"),
        *("network_is_right", "is_right", "followed_network", "seconds"),
    )
    return {name: list(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)}
