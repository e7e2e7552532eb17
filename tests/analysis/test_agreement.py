import numpy as np
import pytest
from numpy.typing import ArrayLike

from explorer.analysis.agreement import (
    compute_correlations,
    compute_mean_squared_cosine,
    compute_one_against_all_accuracy,
    compute_overlaps,
    compute_rank_agreement,
    match_x_features,
)


def test_rank_agreement_depends_only_on_the_order() -> None:
    assert compute_rank_agreement([1, 2, 30], [0.1, 0.2, 0.3]) == pytest.approx(1)
    assert compute_rank_agreement([3, 2, 1], [0.1, 0.2, 0.3]) == pytest.approx(-1)
    # Ranks 1 2 3 4 against 2 1 4 3: ρ = 1 − 6·4 / (4·15) = 0.6.
    assert compute_rank_agreement([1, 2, 3, 4], [2, 1, 4, 3]) == pytest.approx(0.6)


def test_rank_agreement_of_equal_values_is_undefined() -> None:
    assert compute_rank_agreement([1, 1, 1], [1, 2, 3]) is None
    assert compute_rank_agreement([1, 2, 3], [1, 1, 1]) is None
    assert compute_rank_agreement([1], [2]) is None
    assert compute_rank_agreement([1, 2], [5, 6]) == pytest.approx(1)
    assert compute_rank_agreement([1, 2, 3], [5, 6, 6]) == pytest.approx(0.75**0.5)


def test_one_against_all_accuracy_weighs_positives_and_negatives_equally() -> None:
    rivals = [[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [1.0, 2.0]]
    is_positive = [True, False, False, False]
    # The positive and two of three negatives are classified correctly: (1 + 2/3) / 2.
    score = [1.5, 1.5, 0.5, 1.5]
    found = compute_one_against_all_accuracy(score, rivals, is_positive)
    assert found == pytest.approx((1 + 2 / 3) / 2)


def test_a_score_equal_to_its_rival_is_not_a_positive() -> None:
    found = compute_one_against_all_accuracy([1.0, 0.0], [[1.0], [1.0]], [True, False])
    assert found == 0.5


@pytest.mark.parametrize(
    ("rivals", "is_positive"),
    [
        (np.empty((2, 0)), [True, False]),
        ([[1.0], [1.0]], [True, True]),
        ([[1.0], [1.0]], [False, False]),
    ],
)
def test_accuracy_needs_a_rival_a_positive_and_a_negative(
    rivals: ArrayLike, is_positive: list[bool]
) -> None:
    assert compute_one_against_all_accuracy([2.0, 0.0], rivals, is_positive) is None


def test_mean_squared_cosine_of_known_columns() -> None:
    # Columns (1, 0), (1, 1): cos 45° squared is 1/2. A dead column changes nothing.
    assert compute_mean_squared_cosine([[1, 1], [0, 1]]) == pytest.approx(0.5)
    assert compute_mean_squared_cosine([[1, 1, 0], [0, 1, 0]]) == pytest.approx(0.5)
    assert compute_mean_squared_cosine([[1, 0], [0, 1]]) == pytest.approx(0)
    assert compute_mean_squared_cosine([[1, 0], [2, 0]]) is None
    # Columns (3, 4), (5, 12): (3·5 + 4·12)² / (25 · 169).
    assert compute_mean_squared_cosine([[3, 5], [4, 12]]) == pytest.approx(63**2 / 65**2)


def test_matching_recovers_a_permutation() -> None:
    rng = np.random.default_rng(0)
    first = rng.random((50, 4))
    order = [2, 0, 3, 1]
    matching = match_x_features(compute_correlations(first, first[:, order]))
    assert [order[column] for _, column in matching.pairs] == [0, 1, 2, 3]
    assert matching.mean == pytest.approx(1)


def test_matching_maximises_the_sum_not_the_best_pair() -> None:
    # A greedy matching takes 0.9 + 0.0; the best sum is 0.8 + 0.8.
    matching = match_x_features([[0.9, 0.8], [0.8, 0.0]])
    assert matching.pairs.tolist() == [[0, 1], [1, 0]]
    assert matching.mean == pytest.approx(0.8)


def test_correlation_with_a_constant_is_zero() -> None:
    correlations = compute_correlations([[1, 5], [2, 5], [3, 5]], [[-1], [-2], [-3]])
    np.testing.assert_allclose(correlations, [[-1], [0]], atol=1e-12)


def test_overlap_of_maps_uses_both_axes() -> None:
    one, other = np.ones((1, 1, 2, 3)), np.zeros((1, 1, 2, 3))
    other[0, 0] = [[1, 0, 0], [0, 0, 1]]
    assert compute_overlaps(one, other)[0, 0] == pytest.approx(1 / 3)


def test_overlap_of_maps() -> None:
    one = np.zeros((2, 3, 1, 4))
    one[:, 0, 0] = [1, 1, 0, 0]
    one[:, 1, 0] = [0, 0, 0, 7]
    other = np.zeros((2, 2, 1, 4))
    other[:, 0, 0] = [0, 3, 3, 0]
    other[0, 1, 0] = [0, 0, 0, 1]
    expected = [[0.5, 0.0], [0.0, 0.5], [0.0, 0.0]]
    assert compute_overlaps(one, other).tolist() == expected
    assert np.diag(compute_overlaps(one[:, :2], one[:, :2])).tolist() == [1, 1]
