import pytest

from explorer.render.numbers import format_number, format_signed


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
