import numpy as np
import pytest

from explorer.analysis.confusion import (
    Confusion,
    choose_most_confused,
    count_answers,
    list_confusions,
)

LABELS = [0, 0, 0, 1, 1, 2, 3, 3]
SAID = [0, 2, 2, 0, 1, 0, 3, 1]
TABLE = np.array([[1, 0, 2, 0], [1, 1, 0, 0], [1, 0, 0, 0], [0, 1, 0, 1]])


def test_answers_are_counted_by_hand() -> None:
    assert count_answers(LABELS, SAID, 4).tolist() == TABLE.tolist()
    assert count_answers([], [], 2).tolist() == [[0, 0], [0, 0]]


def test_confusions_come_by_count_then_by_share() -> None:
    assert list_confusions(TABLE) == [
        Confusion(0, 2, 2, 2 / 3),
        Confusion(2, 0, 1, 1.0),
        Confusion(1, 0, 1, 0.5),
        Confusion(3, 1, 1, 0.5),
    ]
    assert list_confusions(np.diag([3, 0])) == []


def test_the_most_confused_categories_are_chosen_in_pairs() -> None:
    assert choose_most_confused(TABLE, 4).tolist() == [0, 1, 2, 3]
    assert choose_most_confused(TABLE, 3).tolist() == [0, 1, 2]
    # One more would be without the other of its pair.
    assert choose_most_confused(TABLE, 2).tolist() == [0, 2]
    assert choose_most_confused(np.diag([1, 1, 1]), 2).tolist() == []


@pytest.mark.parametrize(
    ("labels", "said", "message"),
    [([0], [0, 1], "must be"), ([[0]], [[0]], "must be"), ([4], [0], "0 … 3"), ([0], [-1], "0 …")],
)
def test_what_is_no_answer_is_refused(labels: list, said: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        count_answers(labels, said, 4)
