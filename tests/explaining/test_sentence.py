import pytest

from explorer.explaining.sentence import describe_contributions

NAMES = {0: "red breast", 1: "blue crown", 2: "background"}


@pytest.mark.parametrize(
    ("contributions", "y_hat", "expected"),
    [
        (
            [3.8, 0.9, -0.2],
            5.1,
            "Mostly red breast (3.8 of 5.1) and blue crown (0.9); against it: background (−0.2); "
            "the rest, 0.6, is not explained.",
        ),
        ([0.0, 5.0, 0.0], 5.0, "Only blue crown (5.0 of 5.0)."),
        (
            [0.0, 5.0],
            4.2,
            "Only blue crown (5.0; the score is 4.2); that is 0.8 more than the network says.",
        ),
        (
            [2.0, 1.8, 1.5, 0.2],
            5.5,
            "Because of red breast (2.0 of 5.5), blue crown (1.8), background (1.5) and "
            "x-feature 4 (0.2).",
        ),
        ([0.0, 0.0], 2.3, "No x-feature is active: nothing of the score, 2.3, is explained."),
        ([0.0], -2.3, "No x-feature is active: nothing of the score, −2.3, is explained."),
        (
            [-2.0, 0.5, -0.3],
            -1.9,
            "The score is −1.9. Against it: red breast (−2.0) and background (−0.3); for it: blue "
            "crown (0.5); that is 0.1 more than the network says.",
        ),
        (
            [1.5, 0.5],
            5.1,
            "The x-features do not explain this score: they add up to 2.0, and the network says "
            "5.1. For it: red breast (1.5) and blue crown (0.5).",
        ),
        (
            [-3.0, 1.0],
            2.0,
            "The x-features do not explain this score: they add up to −2.0, and the network says "
            "2.0. For it: blue crown (1.0); against it: red breast (−3.0).",
        ),
        (
            [0.3, 0.01],
            0.32,
            "Mostly red breast (0.30 of 0.32) and blue crown (0.01); the rest, 0.01, is not "
            "explained.",
        ),
        ([3.0, 0.0, 0.0, 2.0], 5.0, "Mostly red breast (3.0 of 5.0) and x-feature 4 (2.0)."),
        (
            [0.03],
            8.0,
            "The x-features do not explain this score: they add up to 0.0, and the network says "
            "8.0.",
        ),
        ([-0.002], -0.002, "The score is 0.00."),
        ([3.0, 0.0, -0.01], 3.0, "Mostly red breast (3.0 of 3.0)."),
    ],
)
def test_every_case(contributions: list[float], y_hat: float, expected: str) -> None:
    assert describe_contributions(contributions, y_hat, NAMES) == expected


@pytest.mark.parametrize(
    ("contributions", "y_hat", "expected"),
    [
        (
            [6.0, 5.5],
            4.2,
            "Mostly red breast (6.0 of 11.7) and blue crown (5.5); the rest, 0.2, is not "
            "explained; without any x-feature, the score would be −7.5.",
        ),
        (
            [12.0, -2.0],
            2.5,
            "Mostly red breast (12.0; the score rises by 10.0); against it: blue crown (−2.0); "
            "without any x-feature, the score would be −7.5.",
        ),
        (
            [1.0, 2.0],
            -4.5,
            "The score is −4.5. For it: blue crown (2.0) and red breast (1.0); "
            "without any x-feature, the score would be −7.5.",
        ),
        (
            [1.0, 0.0],
            4.2,
            "The x-features do not explain this score: with the base of −7.5, they add up to −6.5, "
            "and the network says 4.2. For it: red breast (1.0).",
        ),
        # A score near zero is no reason to call a small rest large.
        (
            [4.0, 3.0],
            0.1,
            "Mostly red breast (4.0 of 7.6) and blue crown (3.0); the rest, 0.6, is not "
            "explained; without any x-feature, the score would be −7.5.",
        ),
    ],
)
def test_a_score_is_counted_from_the_base(
    contributions: list[float], y_hat: float, expected: str
) -> None:
    assert describe_contributions(contributions, y_hat, NAMES, base=-7.5) == expected


def test_many_small_ones_are_said_together() -> None:
    found = describe_contributions([1.0] * 12, 12.0, {})
    assert found == "Because of x-feature 1 (1.0 of 12.0) and smaller ones (11.0)."
    found = describe_contributions([20.0] + [-1.0] * 11, 9.0, {})
    assert found == (
        "Mostly x-feature 1 (20.0; the score is 9.0); against it: x-feature 2 (−1.0) and smaller "
        "ones (−10.0)."
    )


def test_equal_names_are_added_up_by_sign() -> None:
    names = {0: "crown", 1: "crown", 2: "crown"}
    found = describe_contributions([1.5, 2.0, -0.5], 3.0, names)
    assert found == "Mostly crown (3.5; the score is 3.0); against it: crown (−0.5)."
    assert describe_contributions([1.5, 2.0], 3.5, names) == "Only crown (3.5 of 3.5)."


def test_names_are_marked() -> None:
    found = describe_contributions([4.0, -1.0], 3.0, NAMES, lambda words: f"*{words}*")
    assert found == (
        "Mostly *red breast* (4.0; the score is 3.0); against it: *blue crown* (−1.0)."
    )
