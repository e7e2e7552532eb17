"""Drawing the questions of a quiz: held-out photos, their order, and the options to choose from.

No random number generator is used. Items are shuffled by sorting them by a hash of the seed and the
item. So the same seed and data give the same quiz on every machine and in every version of Python.
"""

import hashlib
import math
from collections.abc import Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T", bound=Hashable)

PHOTO_ONLY, ANSWERED, EXPLAINED = "photo only", "photo + answer", "photo + explanation"
CONDITIONS = (PHOTO_ONLY, ANSWERED, EXPLAINED)
MAX_QUESTIONS, MAX_OPTIONS = 60, 6


@dataclass(frozen=True)
class QuizSettings:
    """Settings of a quiz.

    Attributes
    ----------
    questions : int
        Number of questions, 1 to `MAX_QUESTIONS`.
    seed : int
        The same seed gives the same quiz.
    wrong_share : int
        Percentage of photos that the network misclassifies.
    options : int
        Categories to choose from in each question, 2 to `MAX_OPTIONS`.
    conditions : tuple of str
        Some of `CONDITIONS`, each once, in any order; questions are divided evenly among them.

    Raises
    ------
    ValueError
        When a value is out of range.
    """

    questions: int = 10
    seed: int = 1
    wrong_share: int = 30
    options: int = 4
    conditions: tuple[str, ...] = CONDITIONS

    def __post_init__(self) -> None:
        """Check the ranges."""
        if not 1 <= self.questions <= MAX_QUESTIONS:
            raise ValueError(f"a quiz has 1 to {MAX_QUESTIONS} questions, not {self.questions}")
        if not 0 <= self.wrong_share <= 100:
            raise ValueError(f"a share is 0 to 100 per cent, not {self.wrong_share}")
        if not 2 <= self.options <= MAX_OPTIONS:
            raise ValueError(f"a question has 2 to {MAX_OPTIONS} options, not {self.options}")
        if not self.conditions or len(set(self.conditions)) < len(self.conditions):
            raise ValueError("a quiz has one condition or more, each once")
        unknown = set(self.conditions) - set(CONDITIONS)
        if unknown:
            raise ValueError(f"unknown condition {min(unknown)!r}")

    @property
    def are_any_explained(self) -> bool:
        """Whether some questions come with an explanation, which needs modules."""
        return EXPLAINED in self.conditions


@dataclass(frozen=True)
class Question:
    """A photo and the options to choose from. Categories are indices into classes.txt.

    Attributes
    ----------
    image_id : int
        Id of the photo.
    truth, network : int
        The true category, and the one that the network predicts.
    options : tuple of int
        In the order shown; always includes `truth` and `network`.
    condition : str
        One of `CONDITIONS`: the photo alone, with the network's answer, or with what that answer
        rests on as well.
    """

    image_id: int
    truth: int
    network: int
    options: tuple[int, ...]
    condition: str

    @property
    def network_is_right(self) -> bool:
        """Whether the network predicts the true category."""
        return self.network == self.truth

    @property
    def shows_answer(self) -> bool:
        """Whether the network's answer is shown."""
        return self.condition != PHOTO_ONLY

    @property
    def is_explained(self) -> bool:
        """Whether the explanation of the network's answer is shown."""
        return self.condition == EXPLAINED


def select_candidates(
    logits: NDArray[np.floating],
    is_held_out: NDArray[np.bool_],
    has_module: NDArray[np.bool_],
    *,
    are_any_explained: bool,
) -> NDArray[np.bool_]:
    """Select the photos that may be used in a quiz.

    Parameters
    ----------
    logits : NDArray of float
        (M, C), the network's scores of M photos.
    is_held_out : NDArray of bool
        (M,), photos that the network was not trained on.
    has_module : NDArray of bool
        (C,), categories whose score can be explained.
    are_any_explained : bool
        Whether only photos whose predicted category has a module are selected; also for those
        without an explanation, so that all are comparable.

    Returns
    -------
    NDArray of bool
        (M,).
    """
    if not are_any_explained:
        return is_held_out.copy()
    answers = np.argmax(logits, axis=1)
    candidates: NDArray[np.bool_] = is_held_out & has_module[answers]
    return candidates


def draw_questions(
    logits: NDArray[np.floating],
    labels: NDArray[np.integer],
    image_ids: NDArray[np.integer],
    is_candidate: NDArray[np.bool_],
    settings: QuizSettings,
) -> tuple[Question, ...]:
    """Draw the questions of a quiz.

    Photos are distributed evenly over their true categories. The number of photos that the network
    misclassifies is the wanted one, or as close to it as possible. Questions are divided evenly
    among the conditions, and so are the misclassified photos, both to within one.

    Parameters
    ----------
    logits : NDArray of float
        (M, C), the network's scores of M photos.
    labels : NDArray of int
        (M,), true category of each photo, in 0 … C - 1.
    image_ids : NDArray of int
        (M,), unique ids.
    is_candidate : NDArray of bool
        (M,), from `select_candidates`.
    settings : QuizSettings
        Settings of the quiz.

    Returns
    -------
    tuple of Question
        In shuffled order; fewer than wanted if there are not enough photos.
    """
    answers = np.argmax(logits, axis=1)
    rows = {int(image_ids[row]): int(row) for row in np.flatnonzero(is_candidate)}
    wrong = {photo for photo, row in rows.items() if answers[row] != labels[row]}
    categories = {photo: int(labels[row]) for photo, row in rows.items()}
    key = f"{settings.seed}/photos"
    wrong_photos = _alternate_categories(_shuffle(wrong, key), categories)
    right_photos = _alternate_categories(_shuffle(rows.keys() - wrong, key), categories)

    count = min(settings.questions, len(rows))
    wanted = compute_wrong_count(count, settings.wrong_share)
    wrong_count = min(max(wanted, count - len(right_photos)), len(wrong_photos))
    chosen = [*wrong_photos[:wrong_count], *right_photos[: count - wrong_count]]

    # Taking turns over the wrong photos, then the right ones, divides both evenly. The turns of two
    # conditions are those of links made before there was a third.
    turns = [one for one in reversed(CONDITIONS) if one in settings.conditions]
    first = int(_shuffle(range(len(turns)), f"{settings.seed}/turn")[0])
    conditions = {photo: turns[(index + first) % len(turns)] for index, photo in enumerate(chosen)}
    return tuple(
        Question(
            image_id=photo,
            truth=categories[photo],
            network=int(answers[rows[photo]]),
            options=_draw_options(logits[rows[photo]], categories[photo], photo, settings),
            condition=conditions[photo],
        )
        for photo in _shuffle(chosen, f"{settings.seed}/order")
    )


def is_ever_wrong(questions: Iterable[Question]) -> bool:
    """Return whether the network misclassifies any photo of a quiz."""
    return any(not question.network_is_right for question in questions)


def compute_wrong_count(count: int, wrong_share: int) -> int:
    """Compute how many of `count` photos should be misclassified; halves are rounded up.

    Parameters
    ----------
    count : int
        Number of questions.
    wrong_share : int
        Percentage of misclassified photos.
    """
    return math.floor(count * wrong_share / 100 + 0.5)


def draw_references(image_ids: Iterable[int], seed: int, count: int) -> tuple[int, ...]:
    """Draw the example photos of a category, which are the same throughout a quiz."""
    return tuple(_shuffle(tuple(image_ids), f"{seed}/references")[:count])


def _draw_options(
    logits: NDArray[np.floating], truth: int, image_id: int, settings: QuizSettings
) -> tuple[int, ...]:
    """Return the true category and those with the highest scores, in shuffled order."""
    by_score = [int(index) for index in np.argsort(-logits, kind="stable")]
    options = [truth, *(index for index in by_score if index != truth)][: settings.options]
    return tuple(_shuffle(options, f"{settings.seed}/options/{image_id}"))


def _shuffle(items: Collection[T], key: str) -> list[T]:
    return sorted(items, key=lambda item: hashlib.sha256(f"{key}/{item}".encode()).digest())


def _alternate_categories(photos: Sequence[int], categories: dict[int, int]) -> list[int]:
    """Sort the first photo of each category before the second of any, otherwise in order."""
    counts: dict[int, int] = {}
    rounds = {}
    for photo in photos:
        rounds[photo] = counts.get(categories[photo], 0)
        counts[categories[photo]] = rounds[photo] + 1
    return sorted(photos, key=rounds.__getitem__)
