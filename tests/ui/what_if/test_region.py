import numpy as np

from explorer.ui.what_if.region import read_outlines


def test_rectangles_and_outlines_are_read_as_corners() -> None:
    rectangle, outline = read_outlines(
        {
            "box": [{"xref": "x", "yref": "y", "x": [10, 30], "y": [20, 5]}],
            "lasso": [{"xref": "x", "yref": "y", "x": [1, 2, 3], "y": [4, 5, 6]}],
        }
    )
    np.testing.assert_array_equal(rectangle, [(10, 20), (30, 20), (30, 5), (10, 5)])
    np.testing.assert_array_equal(outline, [(1, 4), (2, 5), (3, 6)])


def test_no_selection_is_no_outline() -> None:
    assert read_outlines({"points": [], "box": [], "lasso": []}) == []
