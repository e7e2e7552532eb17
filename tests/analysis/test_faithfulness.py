import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal

from explorer.analysis.faithfulness import (
    compute_base,
    compute_contribution_shares,
    compute_contributions,
    compute_f_reg,
    compute_faithfulness,
    compute_live_mask,
)

scores = arrays(np.float64, 6, elements=st.floats(-1e3, 1e3))


def test_f_reg_by_hand():
    assert compute_f_reg([1, 2, 3], [2, 2, 1]) == pytest.approx(1.0)


def test_base_by_hand():
    assert compute_base(4.5, [6.0, 5.5, 0.5]) == pytest.approx(-7.5)
    contributions = np.array([1e4 / 3, -1e4 / 7, 12.1], np.float32)
    y_bar = float(np.sum(contributions, dtype=np.float32)) + 1e-3
    assert compute_base(y_bar, contributions) == 0, "no more than rounding"
    assert compute_base(0.0, []) == 0


def test_summary_by_hand():
    summary = compute_faithfulness([1, 2, 3, 6], [0, 2, 4, 6])

    assert dataclasses.asdict(summary) == pytest.approx(
        # Squares: residual 1 + 0 + 1 + 0 of 9 + 1 + 1 + 9.
        {"f_reg": 0.5, "y_hat_range": 6, "relative_f_reg": 0.5 / 6, "r2": 0.9, "count": 4}
    )


def test_r2_of_a_perfect_a_mean_and_a_worse_score():
    y_hat = np.array([0.0, 1.0, 5.0])

    assert compute_faithfulness(y_hat, y_hat).r2 == 1
    assert compute_faithfulness(np.full(3, 2.0), y_hat).r2 == pytest.approx(0)
    assert compute_faithfulness(y_hat[::-1], y_hat).r2 < 0


@pytest.mark.parametrize("y_hat", [[0.1], [0.1] * 3, [0.0, 0.0]])
def test_equal_scores_have_no_range(y_hat):
    summary = compute_faithfulness(np.array(y_hat) + 1, y_hat)

    assert (summary.r2, summary.relative_f_reg, summary.y_hat_range) == (None, None, 0)
    assert summary.f_reg == pytest.approx(1)


def test_r2_of_tiny_scores():
    summary = compute_faithfulness([1e-200, 3e-200], [1e-200, 2e-200])

    assert summary.r2 == pytest.approx(-1)


@given(scores, scores)
def test_f_reg_is_symmetric_and_bounds_the_mean_error(y_bar, y_hat):
    f_reg = compute_f_reg(y_bar, y_hat)

    assert f_reg == compute_f_reg(y_hat, y_bar)
    assert f_reg >= abs((y_bar - y_hat).mean()) - 1e-9
    assert f_reg <= abs(y_bar - y_hat).max() + 1e-9


@pytest.mark.parametrize(
    ("y_bar", "y_hat", "message"),
    [
        ([1, 2], [1], "M,"),
        ([[1]], [[1]], "M,"),
        ([], [], "at least one"),
        ([np.nan], [1], "finite"),
        ([1], [np.inf], "finite"),
    ],
)
def test_invalid_scores_are_refused(y_bar, y_hat, message):
    for function in (compute_f_reg, compute_faithfulness):
        with pytest.raises(ValueError, match=message):
            function(y_bar, y_hat)


def test_contributions_by_hand():
    contributions = compute_contributions([[1, 2, 0], [3, 0, 5]], [2, -1, 0])

    assert_array_equal(contributions, [[2, -2, 0], [6, 0, 0]])


@given(arrays(np.float64, (4, 3), elements=st.floats(-1e3, 1e3)))
def test_contributions_sum_to_the_module_score(E):
    v = np.array([1.5, -2.0, 0.25])

    assert_allclose(compute_contributions(E, v).sum(axis=1), E @ v, atol=1e-8)


@pytest.mark.parametrize(
    ("E", "v", "message"),
    [
        ([[1, 2]], [1], "fit"),
        ([1, 2], [1, 2], "fit"),
        ([[1, 2]], [[1, 2]], "fit"),
        ([[1, np.nan]], [1, 2], "finite"),
        ([[1, 2]], [1, np.inf], "finite"),
    ],
)
def test_invalid_activations_are_refused(E, v, message):
    with pytest.raises(ValueError, match=message):
        compute_contributions(E, v)


def test_an_x_feature_is_dead_only_if_it_never_contributes():
    contributions = compute_contributions([[0, 1, 1, 0], [0, 1, -1, 2]], [1, 0, 1, -1])

    assert_array_equal(compute_live_mask(contributions), [False, False, True, True])


@pytest.mark.parametrize(
    ("contributions", "message"),
    [(np.ones(3), "M, K"), (np.empty((0, 3)), "photo"), ([[np.nan]], "finite")],
)
def test_live_mask_refuses_invalid_contributions(contributions, message):
    with pytest.raises(ValueError, match=message):
        compute_live_mask(contributions)


def test_shares_of_contributions() -> None:
    shares = compute_contribution_shares([[3, -1, 0], [0, 0, 0], [-2, 0, 0]])
    assert shares.tolist() == [[0.75, 0.25, 0], [0, 0, 0], [1, 0, 0]]
