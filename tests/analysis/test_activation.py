import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorer.analysis.activation import (
    compute_activation_spread,
    compute_auc,
    draw_order,
)


def test_spread_by_hand() -> None:
    # Four bins of width 1; an activation on an edge belongs to the bin below it.
    spread = compute_activation_spread(
        [0, 0.5, 1, 4, 0, 0, 0, 3.5], [1, 1, 1, 1, 0, 0, 0, 0], bins=4
    )
    assert spread.edges.tolist() == [0, 1, 2, 3, 4]
    assert spread.counts.tolist() == [[2, 0, 0, 1], [0, 0, 0, 1]]
    assert spread.inactive.tolist() == [1, 3]
    assert spread.totals.tolist() == [4, 4]
    assert spread.shares.tolist() == [[0.5, 0, 0, 0.25], [0, 0, 0, 0.25]]
    assert spread.inactive_shares.tolist() == [0.25, 0.75]


def test_bins_reach_the_largest_activation_even_if_tiny() -> None:
    spread = compute_activation_spread([0.25, 0.5], [True, False])
    assert (spread.edges[0], spread.edges[-1], len(spread.edges)) == (0, 0.5, 25)
    assert spread.counts[:, [11, 23]].tolist() == [[1, 0], [0, 1]]


def test_spread_of_no_activations_has_edges() -> None:
    assert compute_activation_spread([], [], bins=2).edges.tolist() == [0, 0.5, 1]


def test_spread_of_a_dead_x_feature_and_of_no_photo() -> None:
    dead = compute_activation_spread([0.0, 0.0], [True, False], bins=2)
    assert dead.counts.sum() == 0
    assert dead.inactive_shares.tolist() == [1, 1]
    assert (np.diff(dead.edges) > 0).all()
    lonely = compute_activation_spread([2.0], [True], bins=2)
    assert lonely.shares.tolist() == [[0, 1], [0, 0]]
    assert np.isnan(lonely.inactive_shares).tolist() == [False, True]


@given(
    st.lists(st.tuples(st.floats(0, 1e6, width=32), st.booleans()), min_size=1, max_size=40),
    st.integers(1, 30),
)
def test_no_photo_is_lost_between_bins(photos: list[tuple[float, bool]], bins: int) -> None:
    values = np.array([value for value, _ in photos])
    positive = np.array([own for _, own in photos])
    spread = compute_activation_spread(values, positive, bins)
    assert spread.totals.tolist() == [positive.sum(), (~positive).sum()]
    known = spread.inactive_shares[~np.isnan(spread.inactive_shares)]
    assert spread.shares.sum() + known.sum() == pytest.approx(len(known))


@pytest.mark.parametrize("values", [[-1.0, 0.0], [np.nan, 0.0], [np.inf, 0.0], [1.0], [[1.0, 2.0]]])
def test_spread_refuses_invalid_activations(values: list[float]) -> None:
    with pytest.raises(ValueError, match="must"):
        compute_activation_spread(values, [True, False])


def test_auc_by_hand() -> None:
    # Pairs of own (3, 1) and other (2, 1): 3 > 2, 3 > 1, 1 < 2, 1 = 1: 2.5 of 4.
    assert compute_auc([3, 2, 1, 1], [True, False, True, False]) == 0.625
    assert compute_auc([5, 4, 1, 0], [True, True, False, False]) == 1
    assert compute_auc([0, 4, 5], [True, False, False]) == 0
    assert compute_auc([0, 0, 0], [True, False, False]) == 0.5
    assert compute_auc([1, 2], [True, True]) is None
    assert compute_auc([], []) is None


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=25))
def test_auc_counts_pairs(photos: list[tuple[int, bool]]) -> None:
    own = [value for value, is_own in photos if is_own]
    others = [value for value, is_own in photos if not is_own]
    wins = [(one > other) + (one == other) / 2 for one in own for other in others]
    expected = sum(wins) / len(wins) if wins else None
    values, positive = [value for value, _ in photos], [is_own for _, is_own in photos]
    found = compute_auc(values, positive)
    assert found == (expected if expected is None else pytest.approx(expected))


def test_ties_are_ordered_at_random() -> None:
    values = [0, 5, 0, 9, 0, 0, 0, 0]
    assert draw_order(values, 0, descending=True)[:2].tolist() == [3, 1]
    assert draw_order(values, 0, descending=False)[-2:].tolist() == [1, 3]
    draws = {tuple(draw_order(values, seed, descending=False)) for seed in range(20)}
    assert len(draws) > 10
    assert all(sorted(draw) == list(range(8)) for draw in draws)
    np.testing.assert_array_equal(
        draw_order(values, 4, descending=True), draw_order(values, 4, descending=True)
    )
    assert draw_order([], 0, descending=True).tolist() == []
