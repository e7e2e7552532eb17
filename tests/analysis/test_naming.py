import numpy as np
import pytest

from explorer.analysis.naming import (
    Evidence,
    Heat,
    correlate,
    find_attribute,
    find_categories,
    find_part,
)

# Twelve categories. Attribute 0 is a mark of the first four, 1 of the first and the last, 2 of the
# first alone, and 3 of every other one; 0 and 1 can be seen on the first part.
SHARES = np.zeros((12, 4))
SHARES[:4, 0] = SHARES[[0, 11], 1] = SHARES[0, 2] = SHARES[::2, 3] = 1
PARTS = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], bool)
IS_OWN = np.arange(12) == 0
ALL = np.ones(4, bool)


def make_heat(*shares: float, outside: float = 0.2) -> Heat:
    return Heat(np.array(shares), np.full(3, 1 / 3), outside, outside_area=0.6)


EVERYWHERE = make_heat(1 / 3, 1 / 3, 1 / 3)


def find(
    activations: np.ndarray, heat: Heat = EVERYWHERE, **changes: np.ndarray
) -> Evidence | None:
    masks = {"is_candidate": ALL, "is_chosen": IS_OWN} | changes
    return find_attribute(activations, SHARES, PARTS, heat, **masks)


def test_correlations_are_pearsons() -> None:
    rng = np.random.default_rng(0)
    means, table = rng.random(9), rng.random((9, 3))
    counts = rng.integers(1, 4, (2, 9)).astype(float)
    plain = correlate(means, table)
    weighted = correlate(means, table, counts)
    for column in range(3):
        expected = np.corrcoef(means, table[:, column])[0, 1]
        assert plain[0, column] == pytest.approx(expected)
        for row in range(2):
            rows = np.repeat(np.arange(9), counts[row].astype(int))
            expected = np.corrcoef(means[rows], table[rows, column])[0, 1]
            assert weighted[row, column] == pytest.approx(expected)
    assert correlate(np.full(9, 0.3), table).tolist() == [[0, 0, 0]]
    assert correlate(means, np.full((9, 1), 0.7)).tolist() == [[0]]


def test_the_attribute_of_all_that_it_fires_on_is_found() -> None:
    found = find(np.where(np.arange(12) < 4, [3.0, *[2.0] * 11], 0.1))
    assert found is not None
    assert found.attribute == 0
    assert found.correlation > 0.9
    assert found.elsewhere == pytest.approx(1)
    assert found.low <= found.correlation <= found.high + 1e-9
    assert found.chance < 0.05  # one in C(11, 3) = 165 orders is as good


def test_what_is_known_of_one_category_alone_is_no_evidence() -> None:
    assert find(IS_OWN * 5.0) is None  # attribute 2 fits perfectly, and by choice
    assert correlate(IS_OWN * 5.0, SHARES)[0, 2] == pytest.approx(1)


def test_a_second_category_among_few_is_no_evidence_either() -> None:
    # One in eleven orders is as good.
    assert find(np.where((np.arange(12) == 0) | (np.arange(12) == 11), 1.0, 0.0)) is None


def test_heat_elsewhere_excludes_an_attribute() -> None:
    activations = np.where(np.arange(12) < 4, 1.0, 0.0)
    assert find(activations, make_heat(0.05, 0.95, 0.0)) is None  # under a tenth
    assert find(activations, make_heat(0.30, 0.70, 0.0)) is None  # less than by area
    assert find(activations, make_heat(0.34, 0.66, 0.0)) is not None
    assert find(activations, is_candidate=~ALL) is None


def test_heat_decides_between_attributes_that_go_together() -> None:
    table = np.stack([SHARES[:, 0], SHARES[:, 0]], axis=1)
    parts = np.array([[1, 0, 0], [0, 1, 0]], bool)
    masks = {"is_candidate": np.ones(2, bool), "is_chosen": IS_OWN}
    for shares, expected in (((0.6, 0.4, 0.0), 0), ((0.4, 0.6, 0.0), 1)):
        found = find_attribute(SHARES[:, 0], table, parts, make_heat(*shares), **masks)
        assert found is not None
        assert found.attribute == expected


def test_the_same_seed_gives_the_same_evidence() -> None:
    activations = SHARES[:, 0] + np.linspace(0, 0.3, 12)
    assert find(activations) == find(activations) is not None


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"shares \(C, A\)"):
        find(np.ones(11))


def test_a_part_needs_heat_and_more_than_its_area() -> None:
    groups = np.array([[1, 0, 0], [0, 1, 1]], bool)
    assert find_part(make_heat(0.6, 0.4, 0.0), groups) == 0
    assert find_part(make_heat(0.4, 0.3, 0.3), groups) is None  # 1.2 and 0.9 times the area
    assert find_part(make_heat(0.0, 0.5, 0.5), groups) == 1
    small = Heat(np.array([0.2, 0.8]), np.array([0.01, 0.99]), 0.0, 0.0)
    assert find_part(small, np.eye(2, dtype=bool)) is None  # dense, but a fifth of the heat
    assert find_part(make_heat(0, 0, 0), groups) is None


def test_the_background_needs_more_than_its_area() -> None:
    assert make_heat(0.5, 0.5, 0.0, outside=0.7).is_outside
    assert not make_heat(0.5, 0.5, 0.0, outside=0.55).is_outside


def test_categories_on_which_it_fires() -> None:
    assert find_categories([0.0, 4.0, 0.9, 1.0, 8.0, 2.0]).tolist() == [4, 1, 5]
    assert find_categories([0.0, 0.0]).tolist() == []
