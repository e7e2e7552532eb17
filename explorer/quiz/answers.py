"""The state of a quiz in progress, and statistics of its answers."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median

from explorer.quiz.questions import Question

_Z_95 = 1.959963984540054


@dataclass(frozen=True)
class Answer:
    """An answer to a question.

    Attributes
    ----------
    question : Question
        The question.
    chosen : int or None
        The chosen category; None if the question could not be shown and was skipped.
    seconds : float
        Time between showing the question and the answer.
    """

    question: Question
    chosen: int | None
    seconds: float

    @property
    def is_right(self) -> bool:
        """Whether the answer is the true category."""
        return self.chosen == self.question.truth

    @property
    def follows_network(self) -> bool:
        """Whether the answer is the category that the network predicts."""
        return self.chosen == self.question.network


@dataclass
class QuizRun:
    """A quiz in progress: one question after another, without going back.

    Attributes
    ----------
    questions : tuple of Question
        At least one.
    answers : list of Answer
        In the order of the questions.
    shown_at : float or None
        When the current question was shown, in seconds; None if it has not been shown yet.
    """

    questions: tuple[Question, ...]
    answers: list[Answer] = field(default_factory=list)
    shown_at: float | None = None

    @property
    def position(self) -> int:
        """Index of the current question; the number of questions when the quiz is over."""
        return len(self.answers)

    @property
    def is_over(self) -> bool:
        """Whether all questions are answered."""
        return self.position >= len(self.questions)

    def mark_shown(self, now: float) -> None:
        """Start the clock of the current question, unless it is already running."""
        if self.shown_at is None:
            self.shown_at = now

    def give_answer(self, position: int, chosen: int | None, now: float) -> None:
        """Answer the question at `position`; ignored unless it is current and has been shown."""
        if position != self.position or self.is_over or self.shown_at is None:
            return
        seconds = max(0.0, now - self.shown_at)
        self.answers.append(Answer(self.questions[position], chosen, seconds))
        self.shown_at = None


@dataclass(frozen=True)
class Share:
    """A proportion: `count` out of `total`."""

    count: int
    total: int

    @property
    def fraction(self) -> float | None:
        """The proportion, in [0, 1]; None if the total is 0."""
        return self.count / self.total if self.total else None

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % Wilson interval, in [0, 1]; the whole range if the total is 0."""
        if self.total == 0:
            return (0.0, 1.0)
        share, spread = self.count / self.total, _Z_95**2 / self.total
        centre = (share + spread / 2) / (1 + spread)
        half_width = _Z_95 * math.sqrt(share * (1 - share) / self.total + spread / (4 * self.total))
        half_width /= 1 + spread
        low = 0.0 if self.count == 0 else max(0.0, centre - half_width)
        return (low, 1.0 if self.count == self.total else min(1.0, centre + half_width))


@dataclass(frozen=True)
class Summary:
    """Statistics of the answers of one condition.

    Attributes
    ----------
    right : Share
        Correct answers.
    followed_wrong : Share
        Photos that the network misclassifies, and how many were answered like the network.
    followed_right : Share
        Photos that the network classifies correctly, and how many were answered like the network.
    median_seconds : float or None
        Median time per answer; None without answers.
    """

    right: Share
    followed_wrong: Share
    followed_right: Share
    median_seconds: float | None


def summarise(answers: Iterable[Answer]) -> Summary:
    """Compute the statistics of answers, excluding skipped questions."""
    given = [answer for answer in answers if answer.chosen is not None]
    return Summary(
        right=Share(sum(answer.is_right for answer in given), len(given)),
        followed_wrong=_count_followers(given, network_is_right=False),
        followed_right=_count_followers(given, network_is_right=True),
        median_seconds=median(answer.seconds for answer in given) if given else None,
    )


def _count_followers(answers: Iterable[Answer], *, network_is_right: bool) -> Share:
    counted = [a for a in answers if a.question.network_is_right == network_is_right]
    return Share(sum(answer.follows_network for answer in counted), len(counted))


def make_records(answers: Iterable[Answer], categories: Sequence[str]) -> list[dict[str, object]]:
    """Convert answers to flat records for a table, one per question, with category names.

    Returns
    -------
    list of dict
        ``position`` starts at 1. ``answer``, ``is_right``, ``followed_network`` and ``seconds`` are
        None if a question was skipped. ``seconds`` is rounded to milliseconds.
    """
    return [
        {
            "position": position,
            "image_id": answer.question.image_id,
            "condition": answer.question.condition,
            "true_category": categories[answer.question.truth],
            "network_answer": categories[answer.question.network],
            "network_is_right": answer.question.network_is_right,
            "options": [categories[option] for option in answer.question.options],
            "answer": None if answer.chosen is None else categories[answer.chosen],
            "is_right": None if answer.chosen is None else answer.is_right,
            "followed_network": None if answer.chosen is None else answer.follows_network,
            "seconds": None if answer.chosen is None else round(answer.seconds, 3),
        }
        for position, answer in enumerate(answers, start=1)
    ]
