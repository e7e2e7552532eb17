import io

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from explorer.render.colour_maps import encode_png
from explorer.render.pixels import OUTSIDE, render_pixels

NAMES = ("beak", "tail")
HEAT = np.array([[0.0, 1.0, 2.0], [3.0, 0.0, 4.0]])
LABELS = np.array([[-1, 0, 1], [1, 0, -1]])
PICTURE = encode_png(np.full((20, 60, 3), 90, dtype=np.uint8))


def test_every_cell_shows_part_probability_and_value():
    figure = render_pixels(PICTURE, HEAT, LABELS, NAMES, (20, 60))
    (cells,) = figure.data
    assert_array_equal(cells.z, HEAT)
    assert_allclose(cells.customdata, HEAT / 10)
    assert cells.text.tolist() == [[OUTSIDE, "beak", "tail"], ["tail", "beak", OUTSIDE]]
    for wanted in ("%{text}", "%{customdata:", "%{z:"):
        assert wanted in cells.hovertemplate


def test_cells_have_the_right_position():
    figure = render_pixels(PICTURE, HEAT, LABELS, NAMES, (20, 60))
    (cells,) = figure.data
    # Two rows of ten pixels and three columns of twenty; a cell is placed by its middle.
    assert (cells.x0, cells.dx, cells.y0, cells.dy) == (10, 20, 5, 10)
    (picture,) = figure.layout.images
    assert (picture.sizex, picture.sizey) == (60, 20)
    assert tuple(figure.layout.yaxis.range) == (20, 0)


def test_picture_is_the_one_that_was_drawn_and_cells_do_not_hide_it():
    figure = render_pixels(PICTURE, HEAT, LABELS, NAMES, (20, 60))
    assert figure.layout.images[0].source.startswith("data:image/png;base64,")
    assert figure.data[0].opacity == 0
    file = io.BytesIO()
    Image.new("RGB", (60, 20)).save(file, "JPEG")
    figure = render_pixels(file.getvalue(), HEAT, LABELS, NAMES, (20, 60))
    assert figure.layout.images[0].source.startswith("data:image/jpeg;base64,")


def test_a_map_without_heat_has_no_probabilities():
    figure = render_pixels(PICTURE, np.zeros((2, 3)), LABELS, NAMES, (20, 60))
    assert_array_equal(figure.data[0].customdata, np.zeros((2, 3)))


def test_refuses_labels_of_another_grid():
    with pytest.raises(ValueError, match="does not fit"):
        render_pixels(PICTURE, HEAT, LABELS.T, NAMES, (20, 60))


def test_a_crop_keeps_the_places_of_the_photo():
    figure = render_pixels(PICTURE, HEAT, LABELS, NAMES, (20, 60), extent=(20, 5, 50, 20))
    (cells,) = figure.data
    assert (cells.x0, cells.dx, cells.y0, cells.dy) == (10, 20, 5, 10)
    (picture,) = figure.layout.images
    assert (picture.x, picture.y, picture.sizex, picture.sizey) == (20, 5, 30, 15)
    assert tuple(figure.layout.xaxis.range) == (20, 50)
    assert tuple(figure.layout.yaxis.range) == (20, 5)
