"""A quiz that is being taken, and what its answers say."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median

from explorer.quiz.questions import Question

_Z_95 = 1.959963984540054


@dataclass(frozen=True)
class Answer:
    """What was said to a question.

    Attributes
    ----------
    question : Question
        The question.
    chosen : int or None
        The category; None where the question could not be shown and was left out.
    seconds : float
        From when the question was shown to the answer.
    """

    question: Question
    chosen: int | None
    seconds: float

    @property
    def is_right(self) -> bool:
        """Whether it names the bird."""
        return self.chosen == self.question.truth

    @property
    def follows_network(self) -> bool:
        """Whether it is what the network says."""
        return self.chosen == self.question.network


@dataclass
class QuizRun:
    """A quiz that is being taken: one question after another, no way back.

    Attributes
    ----------
    questions : tuple of Question
        At least one.
    answers : list of Answer
        In the order of the questions.
    shown_at : float or None
        When the present question was shown, in seconds of some clock; None before that.
    """

    questions: tuple[Question, ...]
    answers: list[Answer] = field(default_factory=list)
    shown_at: float | None = None

    @property
    def position(self) -> int:
        """The present question, counted from 0; how many there are when it is over."""
        return len(self.answers)

    @property
    def is_over(self) -> bool:
        """Whether all questions are answered."""
        return self.position >= len(self.questions)

    def mark_shown(self, now: float) -> None:
        """Start the clock of the present question; once it runs, it goes on."""
        if self.shown_at is None:
            self.shown_at = now

    def give_answer(self, position: int, chosen: int | None, now: float) -> None:
        """Answer the question at `position`; ignored unless it is the present one and is shown."""
        if position != self.position or self.is_over or self.shown_at is None:
            return
        seconds = max(0.0, now - self.shown_at)
        self.answers.append(Answer(self.questions[position], chosen, seconds))
        self.shown_at = None


@dataclass(frozen=True)
class Share:
    """So many of so many."""

    count: int
    total: int

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % Wilson interval, in [0, 1]; all of it where the total is 0."""
        if self.total == 0:
            return (0.0, 1.0)
        share, spread = self.count / self.total, _Z_95**2 / self.total
        middle = (share + spread / 2) / (1 + spread)
        half = _Z_95 * math.sqrt(share * (1 - share) / self.total + spread / (4 * self.total))
        half /= 1 + spread
        low = 0.0 if self.count == 0 else max(0.0, middle - half)
        return (low, 1.0 if self.count == self.total else min(1.0, middle + half))


@dataclass(frozen=True)
class Summary:
    """What the answers of one condition say.

    Attributes
    ----------
    right : Share
        Birds named.
    followed_wrong : Share
        Photos that the network gets wrong, and how many were given just its wrong answer.
    followed_right : Share
        Photos that the network gets right, and how many were given its answer.
    median_seconds : float or None
        Time of an answer; None without answers.
    """

    right: Share
    followed_wrong: Share
    followed_right: Share
    median_seconds: float | None


def summarise(answers: Iterable[Answer]) -> Summary:
    """Count right answers, those that follow the network, and the time; left-out ones do not."""
    given = [answer for answer in answers if answer.chosen is not None]
    return Summary(
        right=Share(sum(answer.is_right for answer in given), len(given)),
        followed_wrong=_count_followers(given, network_is_right=False),
        followed_right=_count_followers(given, network_is_right=True),
        median_seconds=median(answer.seconds for answer in given) if given else None,
    )


def _count_followers(answers: Iterable[Answer], *, network_is_right: bool) -> Share:
    kind = [a for a in answers if a.question.network_is_right == network_is_right]
    return Share(sum(answer.follows_network for answer in kind), len(kind))


def make_records(answers: Iterable[Answer], categories: Sequence[str]) -> list[dict[str, object]]:
    """Write answers as flat records for a table, one a question, categories by name.

    Returns
    -------
    list of dict
        ``position`` from 1; ``followed_network`` and ``is_right`` are None where a question was
        left out; ``seconds`` to the millisecond.
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
