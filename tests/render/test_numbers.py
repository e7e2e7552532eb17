import pytest

from explorer.render.numbers import format_number, format_short, format_signed


@pytest.mark.parametrize(
    ("value", "plain", "signed"),
    [
        (1.234, "1.23", "+1.23"),
        (-1.236, "−1.24", "−1.24"),
        (0.0, "0.00", "0.00"),
        (-0.0, "0.00", "0.00"),
        (-0.004, "0.00", "0.00"),
        (0.004, "0.00", "0.00"),
        (-0.006, "−0.01", "−0.01"),
    ],
)
def test_numbers_have_a_true_minus_and_no_negative_zero(
    value: float, plain: str, signed: str
) -> None:
    assert format_number(value) == plain
    assert format_signed(value) == signed


def test_decimals_can_be_chosen() -> None:
    assert format_number(-0.00049, 3) == "0.000"
    assert format_signed(2.0, 0) == "+2"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.0, "0"),
        (5.71e-6, "5.7 × 10⁻⁶"),
        (-5.71e-6, "−5.7 × 10⁻⁶"),
        (0.0312, "0.031"),
        (42.0, "42"),
        (1.23e12, "1.2 × 10¹²"),
    ],
)
def test_small_and_large_numbers_have_a_power_of_ten(value: float, words: str) -> None:
    assert format_short(value) == words
