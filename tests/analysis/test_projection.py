import numpy as np
import pytest
from numpy.testing import assert_allclose

from explorer.analysis.projection import project


def test_points_on_two_axes_by_hand() -> None:
    # Spread 4 along (1, 1, 0), 1 along (0, 0, 1), about (5, 5, 7).
    along, across = np.array([1, 1, 0]) / np.sqrt(2), np.array([0, 0, 1])
    steps = np.array([(-4, 0), (4, 0), (0, -1), (0, 1)])
    values = [5, 5, 7] + steps @ np.stack([along, across])
    found = project(values)
    signs = np.sign(found.moves[[0, 2], [0, 1]])  # which end is up is free
    assert_allclose(found.points * signs, steps, atol=1e-12)
    # The first two numbers have a variance of (8 + 8) / 4, the third of (1 + 1) / 4.
    expected = np.stack([2 * along, np.sqrt(0.5) * across], axis=1)
    assert_allclose(found.moves * signs, expected, atol=1e-12)
    assert found.shares == pytest.approx((32 / 34, 2 / 34))


def test_a_number_that_rises_moves_a_point() -> None:
    rng = np.random.default_rng(3)
    values = rng.normal(size=(40, 6)) * [5, 4, 3, 1, 1, 1]
    found = project(values)
    standard = (values - values.mean(axis=0)) / values.std(axis=0)
    assert_allclose(standard @ found.moves, found.points, atol=1e-9)
    assert found.points.var(axis=0)[0] > found.points.var(axis=0)[1]


def test_what_does_not_vary_is_zero() -> None:
    still = project(np.full((3, 4), 2.5))
    assert not still.points.any()
    assert still.shares == (0, 0)
    assert not still.moves.any()
    line = project([[1.0], [3.0]])
    assert_allclose(np.abs(line.points), [[1, 0], [1, 0]])
    assert line.shares == (1, 0)
    assert project([[1.0, 2.0]]).points.tolist() == [[0, 0]]


def test_wide_tables_are_placed_alike_every_time() -> None:
    values = np.random.default_rng(0).normal(size=(600, 1200))  # a randomised solver
    assert (project(values).points == project(values).points).all()


@pytest.mark.parametrize("values", [[1.0, 2.0], np.zeros((0, 3)), [[np.nan, 1.0]]])
def test_what_is_no_table_is_refused(values: object) -> None:
    with pytest.raises(ValueError, match="numbers must"):
        project(values)
