import re

import numpy as np
import plotly.graph_objects as go
import pytest

from explorer.render.photo_map import PointGroup, PointScale, render_photo_map

POINTS = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, -2.0], [-10.0, 2.0]])
FACTS = {"image_ids": [11, 22, 33, 44], "labels": ["a", "b", "c", "d"], "arrows": {}}
GROUPS = [
    PointGroup("right", np.array([0, 3]), "blue"),
    PointGroup("none", np.array([], int), "grey"),
    PointGroup("wrong", np.array([1, 2]), "orange", "x"),
]


def test_every_photo_is_a_point_of_its_kind() -> None:
    figure = render_photo_map(POINTS, (0.75, 0.2), GROUPS, **FACTS, text_colour="#123456")
    found = {
        trace.name: (trace.marker.color, trace.marker.symbol, trace.customdata, list(trace.text))
        for trace in figure.data
    }
    assert found == {
        "right": ("blue", "circle", (11, 44), ["a", "d"]),
        "wrong": ("orange", "x", (22, 33), ["b", "c"]),
    }
    assert [*figure.data[1].x, *figure.data[1].y] == [10, 0, 0, -2]
    assert figure.layout.xaxis.title.text == "first axis, 75% of the variance"
    assert figure.layout.font.color == "#123456"
    assert figure.layout.showlegend


def test_numbers_are_colours_with_the_highest_on_top() -> None:
    scale = PointScale("activation", np.array([3.0, 1.0, 2.0, 0.0]))
    (trace,) = render_photo_map(POINTS, (1, 0), scale, **FACTS).data
    assert trace.customdata == (44, 22, 33, 11)
    assert trace.marker.color.tolist() == [0, 1, 2, 3]
    assert trace.marker.colorbar.title.text == "activation"


@pytest.mark.parametrize(("words", "page"), [("#3c424b", "fcfbf8"), ("#d5d2ca", "14181d")])
def test_no_number_has_a_colour_near_the_background(words: str, page: str) -> None:
    scale = PointScale("activation", np.array([3.0, 1.0, 2.0, 0.0]))
    (trace,) = render_photo_map(POINTS, (1, 0), scale, **FACTS, text_colour=words).data
    behind = np.array([int(page[place : place + 2], 16) for place in (0, 2, 4)])
    for _, colour in trace.marker.colorscale:
        channels = np.array([int(one) for one in re.findall(r"\d+", colour)[:3]])
        assert np.abs(channels - behind).max() > 70, colour


def test_where_there_are_thousands_points_are_smaller_and_fainter() -> None:
    def draw(count: int) -> go.Figure:
        facts = {"image_ids": np.arange(count), "labels": [""] * count}
        groups = [PointGroup("right", np.arange(count), "blue")]
        return render_photo_map(np.zeros((count, 2)), (0, 0), groups, **FACTS | facts)

    few, many = (draw(count).data[0].marker for count in (60, 12_000))
    assert (few.size, few.opacity) == (8, 0.8)
    assert 3 < many.size < 5
    assert 0.4 < many.opacity < 0.7


@pytest.mark.parametrize(("words", "backing"), [("#3c424b", "252"), ("#d5d2ca", "20,24,29")])
def test_names_of_arrows_can_be_read_above_points(words: str, backing: str) -> None:
    facts = FACTS | {"arrows": {"one": (3.0, 4.0)}}
    figure = render_photo_map(POINTS, (1, 0), GROUPS, **facts, text_colour=words)
    (arrow,) = figure.layout.annotations
    assert arrow.bgcolor.startswith(f"rgba({backing}")


def test_arrows_point_where_numbers_rise_and_short_ones_are_left_out() -> None:
    arrows = {"one": (3.0, 4.0), "two": (-1.0, 0.0), "none": (0.1, 0.0)}
    figure = render_photo_map(POINTS, (1, 0), GROUPS, **FACTS | {"arrows": arrows})
    drawn = {one.text: (one.ax, one.ay) for one in figure.layout.annotations}
    assert drawn == {
        "one": pytest.approx((0.42 * 20 * 0.6, 0.42 * 20 * 0.8)),
        "two": pytest.approx((-0.42 * 20 * 0.2, 0)),
    }
    assert {(one.x, one.y, one.arrowside) for one in figure.layout.annotations} == {(0, 0, "start")}


def test_many_points_are_drawn_with_webgl() -> None:
    count = 3001
    figure = render_photo_map(
        np.zeros((count, 2)),
        (0, 0),
        PointScale("n", np.arange(count)),
        image_ids=np.arange(count),
        labels=[""] * count,
        arrows={"still": (0.0, 0.0)},
    )
    assert isinstance(figure.data[0], go.Scattergl)
    assert not figure.layout.annotations


@pytest.mark.parametrize(
    ("points", "colours", "message"),
    [
        (POINTS[:3], GROUPS, "one length"),
        (POINTS.T, GROUPS, "one length"),
        (POINTS + np.nan, GROUPS, "finite"),
        (POINTS, PointScale("n", np.zeros(3)), "one length"),
    ],
)
def test_what_does_not_fit_is_refused(points: object, colours: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        render_photo_map(points, (0, 0), colours, **FACTS)
