import numpy as np
import pytest

from explorer.analysis.pairing import Pair, pair_x_features

UP, DOWN, BENT = [0.0, 1.0, 2.0, 3.0], [3.0, 2.0, 1.0, 0.0], [0.0, 2.0, 2.0, 0.0]


def test_reordered_x_features_are_paired() -> None:
    left = np.array([UP, DOWN, BENT]).T
    right = 5 * np.array([BENT, UP, DOWN]).T
    # The third adds most in size, though it lowers the score; then the first.
    contributions = np.array([[2.0, 1.0, -9.0], [2.0, 0.0, -9.0]])
    pairs = pair_x_features(left, right, contributions)
    assert [(pair.left, pair.right) for pair in pairs] == [(2, 0), (0, 1), (1, 2)]
    assert [pair.correlation for pair in pairs] == pytest.approx([1.0, 1.0, 1.0])


def test_surplus_x_features_have_no_partner() -> None:
    left, right = np.array([UP, BENT]).T, np.array([DOWN, UP, BENT]).T
    pairs = pair_x_features(left, right, [[1.0, 2.0]])
    assert [(pair.left, pair.right) for pair in pairs] == [(1, 2), (0, 1), (None, 0)]
    assert pairs[2] == Pair(None, 0, None)
    back = pair_x_features(right, left, [[3.0, 2.0, 1.0]])
    assert [(pair.left, pair.right) for pair in back] == [(0, None), (1, 0), (2, 1)]
    assert back[0].correlation is None


def test_equal_contributions_keep_their_order() -> None:
    left = np.random.default_rng(0).random((4, 40))
    pairs = pair_x_features(left, left[:, :0], np.ones((1, 40)))
    assert [pair.left for pair in pairs] == list(range(40))


def test_a_dead_x_feature_has_similarity_zero() -> None:
    pairs = pair_x_features(np.array([UP, [0.0] * 4]).T, np.array([UP, BENT]).T, [[1.0, 0.0]])
    assert pairs[1] == Pair(1, 1, 0.0)


def test_without_a_right_side_x_features_are_only_ordered() -> None:
    left = np.array([UP, DOWN]).T
    assert pair_x_features(left, left[:, :0], [[0.0, 1.0]]) == (
        Pair(1, None, None),
        Pair(0, None, None),
    )
