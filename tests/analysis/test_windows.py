import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from explorer.analysis.windows import Square, find_square, widen_square

# A hot corner of 2 × 2 cells with 8 of 12, and a hot cell with 4.
HEAT = np.zeros((5, 7))
HEAT[0:2, 4:6] = 2
HEAT[4, 0] = 4


@pytest.mark.parametrize(
    ("share", "square"),
    [
        (0.3, Square(4, 0, 1)),  # 4 of 12 in one cell
        (0.5, Square(0, 4, 2)),
        (8 / 12, Square(0, 4, 2)),
        (1.0, Square(0, 0, 5)),  # no square of five rows has both, but the largest is returned
    ],
)
def test_the_smallest_square_with_a_share_by_hand(share: float, square: Square) -> None:
    found = find_square(HEAT, share)
    assert found == square
    assert found == find_square(1e-200 * HEAT, share), "whatever its unit"


def test_a_map_without_heat_has_its_middle() -> None:
    assert find_square(np.zeros((4, 9))) == Square(0, 2, 4)
    assert find_square(np.zeros((6, 3))) == Square(1, 0, 3)
    assert find_square(np.ones((1, 1))) == Square(0, 0, 1)


@given(arrays(np.float64, (5, 6), elements=st.floats(0, 10)), st.sampled_from([0.2, 0.5, 0.9]))
def test_no_smaller_square_has_the_share(heat: np.ndarray, share: float) -> None:
    def get_most(side: int) -> float:
        corners = ((i, j) for i in range(6 - side) for j in range(7 - side))
        return max(heat[i : i + side, j : j + side].sum() for i, j in corners)

    top, left, side = find_square(heat, share)
    inside = heat[top : top + side, left : left + side]
    assert inside.shape == (side, side)
    wanted = share * heat.sum()
    assert inside.sum() == pytest.approx(get_most(side), abs=1e-9)
    assert side == 5 or inside.sum() >= wanted - 1e-9
    assert side == 1 or not heat.any() or get_most(side - 1) < wanted + 1e-9


@pytest.mark.parametrize(
    ("square", "side", "wide"),
    [
        (Square(2, 2, 2), 4, Square(1, 1, 4)),
        (Square(0, 4, 2), 4, Square(0, 3, 4)),
        (Square(0, 5, 2), 4, Square(0, 3, 4)),
        (Square(1, 1, 3), 2, Square(1, 1, 3)),
        (Square(1, 1, 3), 99, Square(0, 0, 5)),
    ],
)
def test_a_square_is_widened_within_the_map(square: Square, side: int, wide: Square) -> None:
    assert widen_square(square, side, (5, 7)) == wide


@pytest.mark.parametrize(
    ("heat", "share", "message"),
    [
        (np.zeros((0, 3)), 0.5, "shape"),
        (np.zeros(3), 0.5, "shape"),
        ([[-1.0]], 0.5, "non-negative"),
        ([[np.nan]], 0.5, "finite"),
        ([[1.0]], 0.0, "share"),
        ([[1.0]], 1.1, "share"),
    ],
)
def test_what_is_no_map_is_refused(heat: object, share: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        find_square(heat, share)
