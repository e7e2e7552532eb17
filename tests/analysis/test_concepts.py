from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from explorer.analysis.concepts import (
    compute_effective_number,
    compute_pair_overlaps,
    compute_top_share,
    compute_weighted_locality,
)

CONTRIBUTIONS = arrays(
    np.float64,
    st.tuples(st.integers(1, 6), st.integers(1, 5)),
    elements=st.floats(-1e6, 1e6).filter(lambda value: value == 0 or abs(value) > 1e-6),
)


def test_effective_number_and_top_share_by_hand() -> None:
    # Shares (1, 0, 0) and (1/2, 1/4, 1/4), whose entropy is 1/2 log 2 + 1/2 log 4 = 1.5 log 2.
    contributions = [[-3.0, 0.0, 0.0], [2.0, -1.0, 1.0]]
    assert compute_effective_number(contributions) == pytest.approx((1 + 2**1.5) / 2)
    assert compute_top_share(contributions) == pytest.approx((1 + 1 / 2) / 2)


def test_one_x_feature_is_one_and_equal_ones_are_all() -> None:
    assert compute_effective_number([[5.0, 0, 0, 0]]) == 1
    assert compute_effective_number([[2.0, -2, 2, -2]]) == pytest.approx(4)
    assert compute_top_share([[2.0, -2, 2, -2]]) == pytest.approx(1 / 4)


@given(CONTRIBUTIONS)
def test_both_stay_within_their_bounds(contributions: np.ndarray) -> None:
    number, share = compute_effective_number(contributions), compute_top_share(contributions)
    if not contributions.any():
        assert number is None
        assert share is None
        return
    count = contributions.shape[1]
    assert number is not None
    assert share is not None
    assert 1 - 1e-9 <= number <= count + 1e-9
    assert 1 / count - 1e-9 <= share <= 1 + 1e-9
    assert compute_effective_number(-7 * contributions[:, ::-1]) == pytest.approx(number)


def test_overlaps_by_hand() -> None:
    left, right = [[1.0, 0.0]], [[0.0, 9.0]]
    both, mostly_left = [[2.0, 2.0]], [[3.0, 1.0]]
    found = compute_pair_overlaps([left, right, both, mostly_left], [1.0, -1.0, 0.5, 2.0])
    # (left, right), (left, both), (left, mostly), (right, both), (right, mostly), (both, mostly)
    assert found.values.tolist() == [0, 0.5, 0.75, 0.5, 0.25, 0.75]
    assert found.zero_maps == 0


def test_inactive_x_features_and_empty_maps_make_no_pair() -> None:
    maps = np.ones((4, 2, 2))
    maps[1] = 0
    found = compute_pair_overlaps(maps, [1.0, 1.0, 0.0, 1.0])
    assert found.values.tolist() == [1]
    assert found.zero_maps == 1
    single = compute_pair_overlaps(maps, [1.0, 0.0, 0.0, 0.0])
    assert (single.values.size, single.zero_maps) == (0, 0)
    silent = compute_pair_overlaps(maps, np.zeros(4))
    assert (silent.values.size, silent.zero_maps) == (0, 0)


def test_weighted_locality_by_hand() -> None:
    contributions = [[3.0, -1.0, 8.0], [3.0, 1.0, 8.0]]
    weighted = compute_weighted_locality([1.0, 2.0, 9.0], [True, True, False], contributions)
    assert weighted == pytest.approx((3 * 1 + 1 * 2) / 4)
    assert compute_weighted_locality([1.0], [False], [[1.0]]) is None
    assert compute_weighted_locality([1.0], [True], [[0.0]]) is None


@pytest.mark.parametrize(
    ("compute", "arguments", "words"),
    [
        (compute_effective_number, ([1.0],), "shape"),
        (compute_top_share, ([[np.nan]],), "finite"),
        (compute_pair_overlaps, (np.ones((2, 2)), [1.0, 1.0]), "maps"),
        (compute_pair_overlaps, (np.ones((2, 2, 2)), [1.0]), "maps"),
        (compute_weighted_locality, ([1.0, 2.0], [True], [[1.0, 1.0]]), "locality"),
        (compute_weighted_locality, ([1.0, 2.0], [True] * 2, [[1.0]]), "locality"),
    ],
)
def test_wrong_arrays_are_refused(compute: Any, arguments: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        compute(*arguments)
