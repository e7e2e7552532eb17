import base64
import io
import re

import numpy as np
import pytest
from numpy.testing import assert_allclose
from PIL import Image

from explorer.analysis.voronoi import compute_cell_polygons
from explorer.render.figures import (
    PART_COLOURS,
    PLOTLY_CONFIG,
    get_part_colours,
    render_contributions,
    render_part_histogram,
    render_partition,
)

NAMES = ("beak", "tail", "nape", "antenna")
PHOTO = np.random.default_rng(1).integers(0, 256, (60, 90, 3), dtype=np.uint8)
POINTS = np.array([(20.0, 20.0), (70.0, 30.0), (np.nan, np.nan), (45.0, 50.0)])
BOX = (10.0, 5.0, 70.0, 50.0)


def list_texts(figure):
    return [annotation.text for annotation in figure.layout.annotations]


def draw_partition(**options):
    visible = np.isfinite(POINTS).all(axis=1)
    polygons = compute_cell_polygons(POINTS, visible, BOX, PHOTO.shape[:2])
    return render_partition(PHOTO, polygons, POINTS, NAMES, BOX, **options), polygons


def measure_contrast(first, second):
    def measure_luminance(colour):
        channels = np.array([int(colour[start : start + 2], 16) for start in (1, 3, 5)]) / 255
        linear = np.where(
            channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4
        )
        return linear @ [0.2126, 0.7152, 0.0722]

    low, high = sorted((measure_luminance(first), measure_luminance(second)))
    return (high + 0.05) / (low + 0.05)


def test_histogram_holds_values_with_the_largest_first():
    figure = render_part_histogram(
        [0.1, 0.6, 0.1, 0.2], NAMES, locality=1.0889, title="x-feature 3"
    )
    bars = figure.data[0]

    assert list(bars.y) == ["tail", "antenna", "beak", "nape"]
    assert_allclose(bars.x, [0.6, 0.2, 0.1, 0.1])
    assert bars.orientation == "h"
    assert list(bars.marker.color) == [get_part_colours(NAMES)[index] for index in (1, 3, 0, 2)]
    assert figure.layout.title.text == "x-feature 3"
    assert figure.layout.title.subtitle.text == "locality 1.089 of at most 1.386"
    assert list_texts(figure)[1:] == ["60.0%", "20.0%", "10.0%", "10.0%"]
    assert figure.layout.yaxis.autorange == "reversed"


def test_histogram_keeps_the_given_order_and_marks_the_even_spread():
    figure = render_part_histogram([0.1, 0.6, 0.1, 0.2], NAMES, locality=None, by_value=False)

    assert list(figure.data[0].y) == list(NAMES)
    assert_allclose(figure.data[0].x, [0.1, 0.6, 0.1, 0.2])
    line = figure.layout.shapes[0]
    assert (line.x0, line.x1) == (0.25, 0.25)
    assert list_texts(figure)[0] == "even spread 25.0%"
    assert figure.layout.title.text == "locality not defined"


def test_histogram_of_nothing_still_has_an_axis():
    figure = render_part_histogram(np.zeros(4), NAMES, locality=None)

    low, high = figure.layout.xaxis.range
    assert low < 0.25 < high


@pytest.mark.parametrize(
    ("values", "names", "message"),
    [
        ([0.5], NAMES, "do not fit"),
        ([], [], "do not fit"),
        ([0.5, 1.5], NAMES[:2], r"\[0, 1\]"),
        ([0.5, np.nan], NAMES[:2], r"\[0, 1\]"),
    ],
)
def test_histogram_refuses_bad_values(values, names, message):
    with pytest.raises(ValueError, match=message):
        render_part_histogram(values, names, locality=None)


def test_contributions_stack_up_to_the_module_score():
    figure = render_contributions([4.0, -1.5, 0.0], ["A", "B", "C"], 2.5, 3.0)
    bars = figure.data[0]

    assert list(bars.y) == ["A", "B", "C", "Module's sum", "Network"]
    assert_allclose(bars.x, [4, -1.5, 0, 2.5, 3])
    assert_allclose(bars.base, [0, 4, 2.5, 0, 0])
    # The last x-feature ends where ȳ ends.
    assert bars.base[2] + bars.x[2] == bars.x[3]
    assert bars.marker.color[0] == bars.marker.color[2] != bars.marker.color[1]
    assert list_texts(figure) == ["+4.00", "−1.50", "0.00", "2.50", "3.00"]
    assert figure.layout.title.text == "Error 0.50"


def test_contributions_start_from_the_base():
    figure = render_contributions([4.0, 5.0], ["A", "B"], 2.5, 3.0, base=-6.5)
    bars = figure.data[0]

    assert list(bars.y) == ["Base", "A", "B", "Module's sum", "Network"]
    assert_allclose(bars.x, [-6.5, 4, 5, 2.5, 3])
    assert_allclose(bars.base, [0, -6.5, -2.5, 0, 0])
    assert list_texts(figure) == ["−6.50", "+4.00", "+5.00", "2.50", "3.00"]
    with pytest.raises(ValueError, match="sum to 9, not to y_bar"):
        render_contributions([4.0, 5.0], ["A", "B"], 2.5, 3.0)


@pytest.mark.parametrize(
    "steps", [[0.0, 0.0], [-3.0, -4.0], [5.0, -9.0], [1e-4, 2e-4], [3.0, 40.0]]
)
def test_every_contribution_lies_within_the_axis(steps):
    figure = render_contributions(steps, ["A", "B"], sum(steps), -1.0)
    low, high = figure.layout.xaxis.range
    base, length = np.array(figure.data[0].base), np.array(figure.data[0].x)

    assert low < min(base.min(), (base + length).min())
    assert high > max(base.max(), (base + length).max())


@pytest.mark.parametrize(
    ("steps", "y_bar", "y_hat", "message"),
    [
        ([1.0], 1.0, 1.0, "do not fit"),
        ([1.0, np.nan], 1.0, 1.0, "finite"),
        ([1.0, 0.0], 1.0, np.inf, "finite"),
        ([1.0, 1.0], 2.5, 2.0, "sum to 2, not to y_bar = 2.5"),
    ],
)
def test_contributions_that_do_not_add_up_are_refused(steps, y_bar, y_hat, message):
    with pytest.raises(ValueError, match=message):
        render_contributions(steps, ["A", "B"], y_bar, y_hat)


def test_contributions_may_be_in_single_precision():
    steps = np.float32([1e4 / 3, -1e4 / 7, 12.1])
    figure = render_contributions(steps, ["A", "B", "C"], float(steps.sum()), 1.0)

    assert_allclose(figure.data[0].x[:3], steps)


def test_partition_draws_each_cell_closed_in_its_colour():
    figure, polygons = draw_partition()
    *cells, points = figure.data

    assert [cell.name for cell in cells] == ["beak", "tail", "antenna"]
    for cell, polygon in zip(cells, [polygons[index] for index in (0, 1, 3)], strict=True):
        assert_allclose(np.c_[cell.x, cell.y], np.vstack([polygon, polygon[:1]]))
        assert cell.fill == "toself"
    red, green, blue = (int(PART_COLOURS["beak"][start : start + 2], 16) for start in (1, 3, 5))
    assert cells[0].fillcolor.startswith(f"rgba({red},{green},{blue},")
    assert_allclose(np.c_[points.x, points.y], POINTS[[0, 1, 3]])
    assert list(points.text) == ["beak", "tail", "antenna"]


def test_partition_lies_in_the_photos_coordinates():
    figure, _ = draw_partition(height=300)
    layout = figure.layout
    image = layout.images[0]

    assert (image.x, image.y, image.sizex, image.sizey) == (0, 0, 90, 60)
    assert tuple(layout.xaxis.range) == (0, 90)
    assert tuple(layout.yaxis.range) == (60, 0)
    assert (layout.yaxis.scaleanchor, layout.yaxis.scaleratio) == ("x", 1)
    box = layout.shapes[0]
    assert (box.x0, box.y0, box.x1, box.y1) == (10, 5, 80, 55)
    assert layout.height == 300


def test_partition_sends_the_photo_and_shrinks_a_large_one():
    def decode(figure):
        data = figure.layout.images[0].source.removeprefix("data:image/jpeg;base64,")
        return Image.open(io.BytesIO(base64.b64decode(data)))

    red = np.zeros((40, 60, 3), dtype=np.uint8)
    red[..., 0] = 200
    sent = np.asarray(decode(render_partition(red, [], np.empty((0, 2)), [], BOX))).astype(int)
    assert sent.shape == (40, 60, 3)
    # Half faded to grey it is still red, not blue.
    assert (sent[..., 0] > sent[..., 2] + 60).all()

    large = np.zeros((600, 3000, 3), dtype=np.uint8)
    figure = render_partition(large, [], np.empty((0, 2)), [], BOX)
    assert decode(figure).size == (1024, 205)
    assert figure.layout.images[0].sizex == 3000


def test_partition_names_visible_parts_and_can_leave_names_out():
    figure, _ = draw_partition()
    assert sorted(list_texts(figure)) == ["antenna", "beak", "tail"]
    for annotation in figure.layout.annotations:
        assert (annotation.x, annotation.y) in {tuple(point) for point in POINTS[[0, 1, 3]]}

    bare, _ = draw_partition(show_labels=False)
    assert list_texts(bare) == []


def test_names_do_not_overlap_on_a_phone():
    # All fifteen parts of a small bird, crowded into a corner of the photo.
    points = np.random.default_rng(3).uniform((10, 10), (90, 60), (15, 2))
    photo = np.zeros((200, 300, 3), dtype=np.uint8)
    names = list(PART_COLOURS)
    figure = render_partition(photo, [np.empty((0, 2))] * 15, points, names, (0, 0, 100, 70))

    scale = 358 / 300
    places = []
    for annotation in figure.layout.annotations:
        centre = np.array([annotation.x, annotation.y]) * scale + (annotation.ax, annotation.ay)
        half = np.array([5.5 * len(annotation.text), 14]) / 2
        assert (centre - half >= 0).all()
        assert (centre + half <= (300 * scale, 200 * scale)).all()
        # The name must not hide any point.
        assert not (np.abs(points * scale - centre) < half).all(axis=1).any()
        places.append((centre, half))
    assert len(places) >= 10
    for index, (centre, half) in enumerate(places):
        for other, other_half in places[:index]:
            assert (np.abs(centre - other) >= half + other_half).any()


def find_names(figure, scale):
    """Return the middle and half the size of every name, in pixels of a phone."""
    return [
        (
            np.array([one.x, one.y]) * scale + (one.ax, one.ay),
            np.array([6.3 * len(one.text) + 7, 18]) / 2,
        )
        for one in figure.layout.annotations
    ]


def test_names_stay_out_of_a_small_box_and_may_lie_in_a_large_one():
    photo = np.zeros((300, 300, 3), np.uint8)
    points = np.array([(120.0, 120.0), (150.0, 140.0), (170.0, 170.0), (140.0, 165.0)])
    empty = [np.empty((0, 2))] * 4
    scale = 358 / 300

    def count_inside(box):
        figure = render_partition(photo, empty, points, NAMES, box, height=358)
        names = find_names(figure, scale)
        assert len(names) == 4
        left, top, width, height = np.array(box) * scale
        edges = np.array([left, top]), np.array([left + width, top + height])
        return sum(
            bool((middle + half > edges[0]).all() and (middle - half < edges[1]).all())
            for middle, half in names
        )

    assert count_inside((100, 100, 90, 90)) == 0
    assert count_inside((20, 20, 260, 260)) == 4


def test_partition_shows_the_extent_alone():
    polygons = compute_cell_polygons(POINTS, np.isfinite(POINTS[:, 0]), BOX, PHOTO.shape[:2])
    crop = PHOTO[5:45, 10:50]
    figure = render_partition(crop, polygons, POINTS, NAMES, BOX, extent=(10, 5, 50, 45))
    (image,) = figure.layout.images

    assert (image.x, image.y, image.sizex, image.sizey) == (10, 5, 40, 40)
    assert tuple(figure.layout.xaxis.range) == (10, 50)
    assert tuple(figure.layout.yaxis.range) == (45, 5)
    # Cells and box keep the photo's coordinates.
    assert figure.layout.shapes[0].x1 == 80
    assert_allclose(np.c_[figure.data[-1].x, figure.data[-1].y], POINTS[[0, 1, 3]])


def test_partition_refuses_mismatched_arguments():
    with pytest.raises(ValueError, match="1 cells, 4 points, 4 names"):
        render_partition(PHOTO, [np.empty((0, 2))], POINTS, NAMES, BOX)
    with pytest.raises(ValueError, match="photo must be"):
        render_partition(PHOTO / 255, [np.empty((0, 2))] * 4, POINTS, NAMES, BOX)


def test_figures_fit_any_theme_and_width():
    figures = [
        render_part_histogram([0.4, 0.6], NAMES[:2], locality=0.6, text_colour="#123456"),
        render_contributions([1.0], ["A"], 1.0, 1.0, text_colour="#123456"),
        draw_partition(text_colour="#123456")[0],
    ]

    for figure in figures:
        assert figure.layout.width is None
        assert figure.layout.height > 100
        assert figure.layout.font.color == "#123456"
        assert figure.layout.paper_bgcolor == figure.layout.plot_bgcolor == "rgba(0,0,0,0)"
        assert figure.layout.xaxis.fixedrange
        assert figure.layout.yaxis.fixedrange
    assert PLOTLY_CONFIG["modeBarButtons"] == [["toImage"]], "nothing that traps a finger"


def test_default_words_are_readable_on_white_and_on_dark():
    colour = render_contributions([1.0], ["A"], 1.0, 1.0).layout.font.color

    # No single grey reaches 4.5 on both backgrounds.
    assert measure_contrast(colour, "#ffffff") > 4
    assert measure_contrast(colour, "#0e1117") > 4


def test_part_colours_are_distinct_for_unknown_parts_too():
    names = [*PART_COLOURS, *(f"organ {index}" for index in range(10))]
    colours = get_part_colours(names)

    assert all(re.fullmatch(r"#[0-9a-f]{6}", colour) for colour in colours)
    assert len(set(colours)) == len(names)
    assert colours == get_part_colours(names)


@pytest.mark.parametrize("pair", ["eye", "leg", "wing"])
def test_left_and_right_differ_in_lightness(pair):
    assert measure_contrast(PART_COLOURS[f"left {pair}"], PART_COLOURS[f"right {pair}"]) > 1.8
