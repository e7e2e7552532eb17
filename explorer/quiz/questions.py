"""Which held-out photos a quiz asks, in which order, and what it offers to choose from.

Nothing here draws numbers at random: every choice goes by lot, the order of the hashes of a seed
and a name. The same seed and data give the same quiz everywhere, in every version of Python.
"""

import hashlib
import math
from collections.abc import Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T", bound=Hashable)

HALF, PHOTO_ONLY, EXPLAINED = "half and half", "photo only", "photo + explanation"
CONDITIONS = (HALF, PHOTO_ONLY, EXPLAINED)
MOST_QUESTIONS, MOST_OPTIONS = 60, 6


@dataclass(frozen=True)
class QuizSettings:
    """What a quiz is drawn by.

    Attributes
    ----------
    questions : int
        How many are wanted, 1 to `MOST_QUESTIONS`.
    seed : int
        The same seed gives the same quiz.
    wrong_share : int
        Per cent of the photos that the network shall get wrong.
    options : int
        Categories to choose from at each question, 2 to `MOST_OPTIONS`.
    condition : str
        One of `CONDITIONS`.

    Raises
    ------
    ValueError
        When a value is out of its range.
    """

    questions: int = 10
    seed: int = 1
    wrong_share: int = 30
    options: int = 4
    condition: str = HALF

    def __post_init__(self) -> None:
        """Check the ranges."""
        if not 1 <= self.questions <= MOST_QUESTIONS:
            raise ValueError(f"a quiz has 1 to {MOST_QUESTIONS} questions, not {self.questions}")
        if not 0 <= self.wrong_share <= 100:
            raise ValueError(f"a share lies in 0 to 100 per cent, not {self.wrong_share}")
        if not 2 <= self.options <= MOST_OPTIONS:
            raise ValueError(f"a question has 2 to {MOST_OPTIONS} options, not {self.options}")
        if self.condition not in CONDITIONS:
            raise ValueError(f"unknown condition {self.condition!r}")


@dataclass(frozen=True)
class Question:
    """One photo and what is offered; categories are positions in classes.txt.

    Attributes
    ----------
    image_id : int
        The photo.
    truth, network : int
        What it shows, and what the network says.
    options : tuple of int
        In the order in which they are shown; `truth` is among them, and `network` where wrong.
    is_explained : bool
        Whether the network's answer and its explanation are shown.
    """

    image_id: int
    truth: int
    network: int
    options: tuple[int, ...]
    is_explained: bool

    @property
    def network_is_right(self) -> bool:
        """Whether the network names the bird."""
        return self.network == self.truth

    @property
    def condition(self) -> str:
        """One of `CONDITIONS`, never both halves."""
        return EXPLAINED if self.is_explained else PHOTO_ONLY


def select_candidates(
    logits: NDArray[np.floating],
    is_held_out: NDArray[np.bool_],
    has_module: NDArray[np.bool_],
    condition: str,
) -> NDArray[np.bool_]:
    """Tell which photos a quiz may ask.

    Parameters
    ----------
    logits : NDArray of float
        (M, C), the network's scores of M photos.
    is_held_out : NDArray of bool
        (M,), photos that the network has not learnt from.
    has_module : NDArray of bool
        (C,), categories whose score can be explained.
    condition : str
        One of `CONDITIONS`. Where anything is explained, all photos are such that the network's
        answer can be, so that photos with and without an explanation are of one kind.

    Returns
    -------
    NDArray of bool
        (M,).
    """
    if condition == PHOTO_ONLY:
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

    Photos are spread over the categories they show. Those that the network gets wrong are as many
    as asked, or as near to it as there are. Where half of the questions are explained, so is half
    of those that the network gets wrong, each to within one.

    Parameters
    ----------
    logits : NDArray of float
        (M, C), the network's scores of M photos.
    labels : NDArray of int
        (M,), what each photo shows, in 0 … C - 1.
    image_ids : NDArray of int
        (M,), no two alike.
    is_candidate : NDArray of bool
        (M,), from `select_candidates`.
    settings : QuizSettings
        How many, and of what kind.

    Returns
    -------
    tuple of Question
        Fewer than asked where there are not enough photos; their order is mixed.
    """
    answers = np.argmax(logits, axis=1)
    rows = {int(image_ids[row]): int(row) for row in np.flatnonzero(is_candidate)}
    wrong = {photo for photo, row in rows.items() if answers[row] != labels[row]}
    categories = {photo: int(labels[row]) for photo, row in rows.items()}
    lot = f"{settings.seed}/photos"
    wrong_photos = _spread(_draw_lots(wrong, lot), categories)
    right_photos = _spread(_draw_lots(rows.keys() - wrong, lot), categories)

    count = min(settings.questions, len(rows))
    wanted = compute_wrong_count(count, settings.wrong_share)
    wrong_count = min(max(wanted, count - len(right_photos)), len(wrong_photos))
    chosen = [*wrong_photos[:wrong_count], *right_photos[: count - wrong_count]]

    # Turn by turn through the wrong ones, then the right ones: both kinds come out in halves.
    first = int(_draw_lots((0, 1), f"{settings.seed}/turn")[0])
    is_explained = {
        photo: (turn + first) % 2 == 0 if settings.condition == HALF else True
        for turn, photo in enumerate(chosen)
    }
    if settings.condition == PHOTO_ONLY:
        is_explained = dict.fromkeys(chosen, False)
    return tuple(
        Question(
            image_id=photo,
            truth=categories[photo],
            network=int(answers[rows[photo]]),
            options=_draw_options(logits[rows[photo]], categories[photo], photo, settings),
            is_explained=is_explained[photo],
        )
        for photo in _draw_lots(chosen, f"{settings.seed}/order")
    )


def compute_wrong_count(count: int, wrong_share: int) -> int:
    """Compute how many of `count` photos the network shall get wrong; half a photo is rounded up.

    Parameters
    ----------
    count : int
        Questions of a quiz.
    wrong_share : int
        Per cent.
    """
    return math.floor(count * wrong_share / 100 + 0.5)


def draw_references(image_ids: Iterable[int], seed: int, count: int) -> tuple[int, ...]:
    """Draw the photos that show what a category looks like, the same all through a quiz."""
    return tuple(_draw_lots(tuple(image_ids), f"{seed}/references")[:count])


def _draw_options(
    logits: NDArray[np.floating], truth: int, image_id: int, settings: QuizSettings
) -> tuple[int, ...]:
    """Offer the truth and what the network takes the photo for first, in mixed order."""
    by_score = [int(index) for index in np.argsort(-logits, kind="stable")]
    options = [truth, *(index for index in by_score if index != truth)][: settings.options]
    return tuple(_draw_lots(options, f"{settings.seed}/options/{image_id}"))


def _draw_lots(items: Collection[T], lot: str) -> list[T]:
    return sorted(items, key=lambda item: hashlib.sha256(f"{lot}/{item}".encode()).digest())


def _spread(photos: Sequence[int], categories: dict[int, int]) -> list[int]:
    """Put a first photo of every category before a second of any, otherwise in the given order."""
    seen: dict[int, int] = {}
    turns = {}
    for photo in photos:
        turns[photo] = seen.get(categories[photo], 0)
        seen[categories[photo]] = turns[photo] + 1
    return sorted(photos, key=turns.__getitem__)
