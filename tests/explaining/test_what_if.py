import numpy as np
import pytest

from explorer.explaining.what_if import Outcome, describe_change

CATEGORIES = ("Cardinal", "Blue Jay", "Summer Tanager")
NAMES = {0: "red crown"}


def make_outcome(logits: list[float], contributions: list[float]) -> Outcome:
    return Outcome(np.array(logits, np.float32), 0, np.array(contributions), sum(contributions))


BEFORE = make_outcome([9.1, 0.0, 5.0], [6.0, 3.0])


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (
            make_outcome([4.2, 0.0, 5.0], [2.1, 2.5]),
            "Without it, the score of Cardinal falls from 9.1 to 4.2. "
            "The x-feature that falls most is red crown (−3.9). "
            "The network now says Summer Tanager.",
        ),
        (
            make_outcome([6.0, 0.0, 5.0], [6.0, 0.5]),
            "Without it, the score of Cardinal falls from 9.1 to 6.0. "
            "The x-feature that falls most is x-feature 2 (−2.5). The network still says Cardinal.",
        ),
        (
            make_outcome([10.5, 0.0, 5.0], [7.0, 3.2]),
            "Without it, the score of Cardinal rises from 9.1 to 10.5. "
            "The x-feature that rises most is red crown (+1.0). The network still says Cardinal.",
        ),
        (
            make_outcome([6.0, 0.0, 5.0], [6.0, 3.1]),
            "Without it, the score of Cardinal falls from 9.1 to 6.0. No x-feature shows it. "
            "The network still says Cardinal.",
        ),
        (
            make_outcome([4.2, 0.0, 5.0], [5.4, 2.5]),
            "Without it, the score of Cardinal falls from 9.1 to 4.2. "
            "The x-feature that falls most is red crown (−0.6). "
            "The network now says Summer Tanager.",
        ),
        (
            make_outcome([8.9, 0.0, 5.0], [6.0, 2.8]),
            "Without it, the score of Cardinal hardly changes (from 9.1 to 8.9). "
            "The network still says Cardinal.",
        ),
        (
            make_outcome([9.12, 0.0, 5.0], [6.0, 3.1]),
            "Without it, the score of Cardinal is the same (9.1). The network still says Cardinal.",
        ),
        (
            make_outcome([-1.2, 0.0, -2.0], [-0.2, 0.0]),
            "Without it, the score of Cardinal falls from 9.1 to −1.2. "
            "The x-feature that falls most is red crown (−6.2). The network now says Blue Jay.",
        ),
    ],
)
def test_a_change_is_told_in_plain_words(after: Outcome, expected: str) -> None:
    assert describe_change(BEFORE, after, CATEGORIES, NAMES) == expected


def test_an_outcome_adds_up() -> None:
    assert (BEFORE.y_bar, BEFORE.y_hat, BEFORE.first) == (9.0, pytest.approx(9.1), 0)
