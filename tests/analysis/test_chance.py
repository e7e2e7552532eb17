from math import comb

import pytest

from explorer.analysis.chance import compute_chance


@pytest.mark.parametrize(("right", "total", "categories"), [(1, 1, 4), (2, 5, 3), (7, 12, 2)])
def test_chance_is_the_upper_tail_of_the_binomial(right: int, total: int, categories: int) -> None:
    p = 1 / categories
    tail = sum(comb(total, k) * p**k * (1 - p) ** (total - k) for k in range(right, total + 1))
    assert compute_chance(right, total, categories) == pytest.approx(tail, rel=1e-12)


def test_guessing_is_never_worse_than_nothing() -> None:
    assert compute_chance(0, 48, 40) == 1
    assert compute_chance(0, 0, 40) == 1
    assert compute_chance(5, 5, 1) == 1


@pytest.mark.parametrize("numbers", [(-1, 5, 2), (6, 5, 2), (1, 5, 0)])
def test_impossible_counts_are_refused(numbers: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="do not fit"):
        compute_chance(*numbers)
