import numpy as np
import pytest

from explorer.render.reliability import render_reliability


def test_points_are_bins_with_photos() -> None:
    certainty, accuracy, counts = [np.nan, 0.4, 0.9], [np.nan, 0.5, 0.8], [0, 4, 16]
    figure = render_reliability({"plain": (certainty, accuracy, counts)})
    (line,) = figure.data
    np.testing.assert_allclose(line.x, [0.4, 0.9])
    np.testing.assert_allclose(line.y, [0.5, 0.8])
    assert list(line.customdata) == [4, 16]
    small, large = line.marker.size
    assert small < large
    (diagonal,) = figure.layout.shapes
    assert (diagonal.x0, diagonal.y0, diagonal.x1, diagonal.y1) == (0, 0, 1, 1)


def test_series_differ_in_colour_and_mark() -> None:
    columns = ([0.5], [0.5], [1])
    first, second = render_reliability({"plain": columns, "calibrated": columns}).data
    assert (first.name, second.name) == ("plain", "calibrated")
    assert first.line.color != second.line.color
    assert first.marker.symbol != second.marker.symbol


def test_columns_have_one_length_and_series_are_two_at_most() -> None:
    with pytest.raises(ValueError, match="length"):
        render_reliability({"plain": ([0.5, 0.6], [0.5], [1])})
    with pytest.raises(ValueError, match="argument"):
        render_reliability({str(n): ([0.5], [0.5], [1]) for n in range(3)})
