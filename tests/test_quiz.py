import math
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorer.quiz.answers import Answer, QuizRun, Share, make_records, summarise
from explorer.quiz.questions import (
    ANSWERED,
    CONDITIONS,
    EXPLAINED,
    PHOTO_ONLY,
    Question,
    QuizSettings,
    compute_wrong_count,
    draw_questions,
    draw_references,
    select_candidates,
)

CATEGORIES, PHOTOS = 8, 160


def make_data(wrong: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return logits, labels and ids of photos; the network misclassifies the first `wrong`."""
    rng = np.random.default_rng(0)
    labels = np.arange(PHOTOS) % CATEGORIES
    logits = rng.normal(size=(PHOTOS, CATEGORIES)).astype(np.float32)
    said = np.where(np.arange(PHOTOS) < wrong, (labels + 1) % CATEGORIES, labels)
    logits[np.arange(PHOTOS), said] = 10
    return logits, labels, 1000 + 3 * np.arange(PHOTOS)


def draw(settings: QuizSettings, wrong: int = 40, **changes: object) -> tuple[Question, ...]:
    logits, labels, ids = make_data(wrong)
    candidates = changes.get("candidates", np.ones(PHOTOS, bool))
    return draw_questions(logits, labels, ids, np.asarray(candidates), settings)


def test_the_quiz_depends_on_the_seed() -> None:
    assert draw(QuizSettings()) == draw(QuizSettings())
    assert draw(QuizSettings(seed=2)) != draw(QuizSettings(seed=1))


def test_the_quiz_does_not_depend_on_the_order_of_the_rows() -> None:
    logits, labels, ids = make_data()
    order = np.random.default_rng(5).permutation(PHOTOS)
    everything = np.ones(PHOTOS, bool)
    mixed = draw_questions(logits[order], labels[order], ids[order], everything, QuizSettings())
    assert mixed == draw(QuizSettings())


def test_a_known_quiz_does_not_change() -> None:
    # Links to a quiz contain only its settings, so the drawing must not change.
    assert [question.image_id for question in draw(QuizSettings(questions=4))] == [
        1462,
        1363,
        1255,
        1015,
    ]


SETTINGS = st.builds(
    QuizSettings,
    questions=st.integers(1, 60),
    seed=st.integers(0, 999),
    wrong_share=st.integers(0, 100),
    options=st.integers(2, 6),
    conditions=st.lists(st.sampled_from(CONDITIONS), min_size=1, unique=True).map(tuple),
)


@given(settings=SETTINGS, wrong=st.integers(0, PHOTOS))
def test_every_quiz_follows_its_settings_as_closely_as_possible(
    settings: QuizSettings, wrong: int
) -> None:
    questions, options, conditions = settings.questions, settings.options, settings.conditions
    logits, labels, ids = make_data(wrong)
    candidates = np.arange(PHOTOS) % 2 == 1
    drawn = draw_questions(logits, labels, ids, candidates, settings)
    assert len(drawn) == min(questions, 80)
    asked = [question.image_id for question in drawn]
    assert len(set(asked)) == len(asked)
    assert set(asked) <= set(ids[candidates].tolist())

    wrong_there = int((candidates & (np.arange(PHOTOS) < wrong)).sum())
    right_there = 80 - wrong_there
    wanted = math.floor(len(drawn) * settings.wrong_share / 100 + 0.5)
    wrong_asked = sum(not question.network_is_right for question in drawn)
    possible = range(max(0, len(drawn) - right_there), min(len(drawn), wrong_there) + 1)
    assert wrong_asked == min(possible, key=lambda count: abs(count - wanted))

    for question in drawn:
        row = int(np.flatnonzero(ids == question.image_id)[0])
        assert question.truth == labels[row]
        assert question.network == logits[row].argmax()
        assert len(question.options) == len(set(question.options)) == options
        assert {question.truth, question.network} <= set(question.options)
        others = [k for k in np.argsort(-logits[row]) if k != question.truth]
        assert set(question.options) == {question.truth, *others[: options - 1]}

    counts = Counter(question.condition for question in drawn)
    wrongs = Counter(question.condition for question in drawn if not question.network_is_right)
    assert counts.keys() <= set(conditions)
    for found in (counts, wrongs):
        shares = [found[condition] for condition in conditions]
        assert max(shares) - min(shares) <= 1
    for question in drawn:
        assert question.shows_answer == (question.condition in (ANSWERED, EXPLAINED))
        assert question.is_explained == (question.condition == EXPLAINED)


def test_links_made_before_the_third_condition_give_the_same_conditions() -> None:
    drawn = draw(QuizSettings(questions=6, conditions=(PHOTO_ONLY, EXPLAINED)))
    turns = [question.is_explained for question in drawn]
    assert turns == [False, True, False, False, True, True]


def test_conditions_wrong_answers_and_options_are_shuffled() -> None:
    half = (PHOTO_ONLY, EXPLAINED)
    many = [
        question for seed in range(40) for question in draw(QuizSettings(12, seed, conditions=half))
    ]
    turns = [one.is_explained != other.is_explained for one, other in pairwise(many)]
    assert 0.4 < np.mean(turns) < 0.65
    firsts = [question.is_explained for question in many[::12]]
    assert 8 < sum(firsts) < 32
    places = Counter(question.options.index(question.truth) for question in many)
    assert all(80 < places[place] < 160 for place in range(4))
    wrong_places = Counter(
        number % 12 for number, question in enumerate(many) if not question.network_is_right
    )
    assert min(wrong_places.values()) > 3


def test_photos_are_spread_over_the_categories() -> None:
    drawn = draw(QuizSettings(questions=16, wrong_share=0), wrong=0)
    assert Counter(question.truth for question in drawn) == dict.fromkeys(range(CATEGORIES), 2)


def test_explained_quizzes_use_only_answers_with_a_module() -> None:
    logits, _, _ = make_data()
    held_out = np.arange(PHOTOS) % 4 == 0
    has_module = np.arange(CATEGORIES) < 3
    found = select_candidates(logits, held_out, has_module, are_any_explained=True)
    assert (found == (held_out & (logits.argmax(axis=1) < 3))).all()
    assert found.any()
    plain = select_candidates(logits, held_out, has_module, are_any_explained=False)
    assert (plain == held_out).all()
    none = np.zeros(CATEGORIES, bool)
    assert not select_candidates(logits, held_out, none, are_any_explained=True).any()


def test_without_photos_there_are_no_questions() -> None:
    assert draw(QuizSettings(), candidates=np.zeros(PHOTOS, bool)) == ()


def test_a_quiz_with_fewer_categories_than_options() -> None:
    logits = np.array([[1.0, 0.0], [0.0, 1.0]])
    everything = np.ones(2, bool)
    drawn = draw_questions(logits, np.array([0, 0]), np.array([7, 9]), everything, QuizSettings(2))
    assert all(sorted(question.options) == [0, 1] for question in drawn)


def test_wrong_counts_are_rounded_half_up() -> None:
    counts = [compute_wrong_count(*pair) for pair in ((10, 30), (5, 30), (5, 50), (3, 0), (4, 100))]
    assert counts == [3, 2, 3, 0, 4]


def test_references_are_the_same_for_the_same_seed() -> None:
    assert draw_references(range(50), 3, 3) == draw_references(reversed(range(50)), 3, 3)
    assert draw_references(range(50), 4, 3) != draw_references(range(50), 3, 3)
    assert set(draw_references([5, 6], 1, 3)) == {5, 6}


@pytest.mark.parametrize(
    "fields",
    [
        {"questions": 0},
        {"questions": 61},
        {"wrong_share": 101},
        {"options": 1},
        {"conditions": ("x",)},
        {"conditions": ()},
        {"conditions": (EXPLAINED, EXPLAINED)},
    ],
)
def test_settings_out_of_range_are_refused(fields: dict) -> None:
    with pytest.raises(ValueError, match=r"not|unknown|each once"):
        QuizSettings(**fields)


def ask(truth: int = 0, network: int = 0) -> Question:
    return Question(5, truth, network, (0, 1, 2), PHOTO_ONLY)


def test_a_run_only_moves_forward_and_times_each_question() -> None:
    run = QuizRun((ask(), ask(1)))
    run.give_answer(0, 0, now=3.0)
    assert run.position == 0, "no question has been shown"
    run.mark_shown(10.0)
    run.mark_shown(12.0)
    run.give_answer(1, 0, now=13.0)
    assert run.position == 0, "not the current question"
    run.give_answer(0, 2, now=13.5)
    assert (run.answers[0].chosen, run.answers[0].seconds) == (2, 3.5)
    run.mark_shown(20.0)
    run.give_answer(0, 0, now=21.0)
    assert len(run.answers) == 1, "an earlier answer cannot be changed"
    run.give_answer(1, 1, now=19.0)
    assert run.is_over
    assert run.answers[1].seconds == 0
    run.give_answer(2, 1, now=30.0)
    assert len(run.answers) == 2


def test_a_summary_of_known_answers() -> None:
    answers = [
        Answer(ask(0, 0), 0, 4.0),  # right, with the network
        Answer(ask(0, 1), 1, 1.0),  # follows a wrong network
        Answer(ask(0, 1), 2, 7.0),  # wrong in another way
        Answer(ask(0, 1), 0, 3.0),  # right against the network
        Answer(ask(2, 2), 1, 5.0),  # does not follow a right network
        Answer(ask(0, 1), None, 99.0),  # skipped
    ]
    summary = summarise(answers)
    assert summary.right == Share(2, 5)
    assert summary.followed_wrong == Share(1, 3)
    assert summary.followed_right == Share(1, 2)
    assert summary.median_seconds == 4.0
    empty = summarise([])
    assert (empty.right, empty.median_seconds) == (Share(0, 0), None)


@pytest.mark.parametrize(
    ("count", "total", "low", "high"),
    # Brown, Cai & DasGupta (2001) give the formula; the numbers are from its closed form.
    [(8, 10, 0.4902, 0.9433), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (1, 3, 0.0615, 0.7923)],
)
def test_wilson_interval(count: int, total: int, low: float, high: float) -> None:
    assert Share(count, total).interval == pytest.approx((low, high), abs=1e-4)


def test_wilson_interval_without_answers_is_the_whole_range() -> None:
    assert Share(0, 0).interval == (0.0, 1.0)


def test_records_contain_the_question_and_the_answer() -> None:
    answers = [
        Answer(Question(41, 0, 1, (1, 0), EXPLAINED), 1, 2.34567),
        Answer(Question(42, 0, 0, (0, 1), PHOTO_ONLY), None, 1.0),
    ]
    first, second = make_records(answers, ["Finch", "Wren"])
    assert first == {
        "position": 1,
        "image_id": 41,
        "condition": EXPLAINED,
        "true_category": "Finch",
        "network_answer": "Wren",
        "network_is_right": False,
        "options": ["Wren", "Finch"],
        "answer": "Wren",
        "is_right": False,
        "followed_network": True,
        "seconds": 2.346,
    }
    assert second["position"] == 2
    assert second["condition"] == PHOTO_ONLY
    assert [second[name] for name in ("answer", "is_right", "followed_network", "seconds")] == (
        [None] * 4
    )
