import numpy as np
import pytest

from explorer.analysis.pointing import compute_pointing

LABELS = np.array([[0, 0, 1], [-1, 2, 1]])


def test_the_part_under_the_highest_cell() -> None:
    maps = np.zeros((4, 2, 3))
    maps[0, 0, 2] = 1
    maps[1] = [[1, 2, 1], [1, 3, 1]]
    maps[2, 1, 0] = 5
    found = compute_pointing(maps, LABELS)
    assert found.tolist() == [1, 2, -1, -1]
    assert found.dtype == np.int64


def test_of_several_highest_cells_the_first_counts() -> None:
    assert compute_pointing(np.ones((1, 2, 3)), LABELS).tolist() == [0]


def test_shapes_must_fit() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        compute_pointing(np.ones((1, 3, 2)), LABELS)
