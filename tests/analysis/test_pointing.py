import numpy as np
import pytest

from explorer.analysis.pointing import compute_pointing

LABELS = np.array([[0, 0, 1], [-1, 2, 1]])


def test_the_part_at_the_maximum() -> None:
    maps = np.zeros((4, 2, 3))
    maps[0, 0, 2] = 1
    maps[1] = [[1, 2, 1], [1, 3, 1]]
    maps[2, 1, 0] = 5
    found = compute_pointing(maps, LABELS)
    assert found.tolist() == [1, 2, -1, -1]
    assert found.dtype == np.int64


def test_the_first_of_equal_maxima_counts() -> None:
    assert compute_pointing(np.ones((1, 2, 3)), LABELS).tolist() == [0]


def test_mismatched_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        compute_pointing(np.ones((1, 3, 2)), LABELS)
