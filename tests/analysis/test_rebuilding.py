import numpy as np
import pytest

from explorer.analysis.rebuilding import compute_rebuilding

# Dimensions: rebuilt perfectly, half, not at all, worse than the mean, and constant.
Z = np.array([[0.0, 0, 0, 0, 7], [2, 2, 2, 2, 7]])
REBUILT = np.array([[0.0, 1, 1, 3, 7], [2, 2, 1, 1, 7]])
HELD = np.array([[1.0, 1, 0, 9, 1], [1, 1, 2, 9, 1]])


def test_r2_by_hand() -> None:
    # Σ (Z − mean)² is 2 in every live dimension.
    found = compute_rebuilding(Z, REBUILT, HELD)
    assert found.is_live.tolist() == [True, True, True, True, False]
    np.testing.assert_allclose(found.r2, [1, 0.5, 0, -4, np.nan])
    np.testing.assert_allclose(found.r2_held, [0, 0, 1, -64, np.nan])
    np.testing.assert_allclose(found.loss, [1, 0.5, -1, 0, np.nan])
    assert found.is_rebuilt.tolist() == [True, True, False, False, False]
    assert found.rank(10).tolist() == [0, 1]
    assert found.rank(1).tolist() == [0]


def test_the_loss_is_at_most_the_original_r2() -> None:
    found = compute_rebuilding([[0.0], [1]], [[0.4], [0.6]], [[50.0], [-50]])
    assert found.r2[0] == pytest.approx(0.36)
    assert found.loss[0] == pytest.approx(0.36)


def test_constant_dimensions_are_dead_despite_a_rounded_mean() -> None:
    z = np.full((3, 1), 0.1)
    assert compute_rebuilding(z, z, z).rank(5).tolist() == []


@pytest.mark.parametrize(
    "arrays",
    [
        (Z, REBUILT, HELD[:1]),
        (Z, REBUILT[:, :2], HELD),
        (Z[:0], Z[:0], Z[:0]),
        (Z[0], Z[0], Z[0]),
        (Z[0], Z, Z),
        (Z[:0], Z, Z),
        (Z, REBUILT, np.full_like(Z, np.nan)),
    ],
)
def test_invalid_arrays_are_refused(arrays: tuple[np.ndarray, ...]) -> None:
    with pytest.raises(ValueError, match="must be"):
        compute_rebuilding(*arrays)


def test_mismatched_shapes_are_reported() -> None:
    with pytest.raises(ValueError, match=r"with a photo: \(2, 5\), \(2, 5\), \(1, 5\)$"):
        compute_rebuilding(Z, REBUILT, HELD[:1])


def test_dimensions_with_equal_loss_keep_their_order() -> None:
    z = np.repeat([[0.0], [1.0]], 40, axis=1)
    found = compute_rebuilding(z, z, np.full_like(z, 0.5))
    assert found.rank(40).tolist() == list(range(40))
    assert found.rank(40).dtype == np.int64
