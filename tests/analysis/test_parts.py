import numpy as np
import pytest

from explorer.analysis.parts import compute_importance, select_important


def test_contributions_are_distributed_over_parts() -> None:
    histogram = [[0.5, 0.25, 0.0], [0.0, 0.5, 0.5]]
    assert compute_importance(histogram, [4.0, -2.0]).tolist() == [2.0, 0.0, -1.0]


def test_importance_inside_and_outside_adds_up_to_the_score() -> None:
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.ones(7), size=5)
    contributions = rng.normal(size=5)
    inside, outside = shares[:, :6], shares[:, 6]
    total = compute_importance(inside, contributions).sum() + outside @ contributions
    assert total == pytest.approx(contributions.sum())


def test_the_fewest_parts_with_half_of_the_importance_are_important() -> None:
    assert select_important({"a": 1.0, "b": 3.0, "c": 2.0, "d": -9.0}) == ("b",)
    assert select_important({"a": 1.0, "b": 2.0, "c": 2.0}) == ("b", "c")
    assert select_important({"a": -1.0, "b": 0.0}) == ()
