import numpy as np
import pytest

from explorer.analysis.marks import (
    compute_fall_shares,
    compute_mark_agreement,
    compute_own_shares,
    compute_pointer_share,
    count_owned_marks,
)


def test_shares_are_decreases_in_all_changes_of_a_mark() -> None:
    falls = [[1.0, 0.0, -3.0], [2.0, 0.0, 1.0], [-1.0, 0.0, 0.0]]
    assert compute_fall_shares(falls).tolist() == [[0.25, 0, 0], [0.5, 0, 0.25], [0, 0, 0]]


def test_the_pointer_has_the_most_heat_on_the_mark() -> None:
    falls = [[1.0], [2.0], [-1.0]]
    assert compute_pointer_share([[0.1], [0.6], [0.3]], falls) == pytest.approx(0.5)
    assert compute_pointer_share([[0.1], [0.2], [0.3]], falls) == 0, "it rose"
    assert compute_pointer_share([[0.0], [1.0]], [[0.125], [0.25]]) == pytest.approx(2 / 3)


def test_the_pointers_of_all_marks_that_change_anything_are_averaged() -> None:
    heat = [[0.7, 0.1, 0.2], [0.2, 0.5, 0.1]]
    falls = [[3.0, 1.0, 0.0], [1.0, 1.0, 0.0]]
    assert compute_pointer_share(heat, falls) == pytest.approx((0.75 + 0.5) / 2)
    assert compute_pointer_share(heat, np.zeros((2, 3))) is None


def test_agreement_is_over_all_x_features_and_marks() -> None:
    heat = [[0.6, 0.1], [0.2, 0.3]]
    assert compute_mark_agreement(heat, [[5.0, -1.0], [0.0, 2.0]]) == pytest.approx(1)
    assert compute_mark_agreement(heat, [[-5.0, 1.0], [0.0, -2.0]]) == pytest.approx(-1)
    # Ranks 4 1 2 3 and 1 2 3 4: the squares of their differences add up to 9 + 1 + 1 + 1.
    assert compute_mark_agreement(heat, [[0.0, 1.0], [2.0, 3.0]]) == pytest.approx(1 - 6 * 12 / 60)
    assert compute_mark_agreement(heat, np.ones((2, 2))) is None
    assert compute_mark_agreement([[0.5]], [[1.0]]) is None


def test_each_mark_can_have_an_x_feature_of_its_own() -> None:
    falls = 2.0 * np.eye(4)[[2, 0, 3, 1]]
    assert compute_own_shares(falls).tolist() == [1, 1, 1, 1]
    assert count_owned_marks(falls) == 4


def test_an_x_feature_that_falls_with_every_mark_owns_one() -> None:
    falls = [[4.0, 4.0, 4.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    assert sorted(compute_own_shares(falls).tolist()) == [0, 0, 1]
    assert count_owned_marks(falls) == 1


def test_no_mark_is_owned_where_all_x_features_fall_alike() -> None:
    assert compute_own_shares(np.ones((2, 3))).tolist().count(0.5) == 2, "two for three marks"
    assert count_owned_marks(np.ones((2, 3))) == 0


def test_the_match_that_takes_most_in_all_is_chosen() -> None:
    # Alone, the first x-feature is the best match of both marks; .75 + 0 is less than .6 + .25.
    falls = [[3.0, 6.0], [1.0, 0.0], [0.0, 4.0]]
    assert compute_own_shares(falls).tolist() == [0.75, 0.4]
    falls = [[3.0, 6.0], [1.0, 0.0]]
    assert compute_own_shares(falls).tolist() == [0.25, 1.0]


def test_shapes_must_fit() -> None:
    with pytest.raises(ValueError, match="heat"):
        compute_pointer_share(np.ones((2, 3)), np.ones((3, 2)))
    with pytest.raises(ValueError, match="falls"):
        compute_own_shares(np.ones(3))
