import numpy as np
import plotly.graph_objects as go
import pytest

from explorer.render.scatter import render_scatter

SCORES = {
    "y_hat": [1.0, 2.0, 3.0, -4.0],
    "y_bar": [1.5, 2.0, 2.5, -4.5],
    "is_positive": [True, True, False, False],
    "sides": ["test", "train", "unused", "test"],
    "image_ids": [11, 22, 33, 44],
    "labels": ["a", "b", "c", "d"],
}


def get_points(figure: go.Figure) -> dict[str, tuple]:
    return {
        trace.name: (*trace.x, *trace.y, *trace.customdata, *trace.text)
        for trace in figure.data
        if trace.mode == "markers"
    }


def test_every_photo_is_a_point_of_its_kind() -> None:
    figure = render_scatter(**SCORES, category="Finch", text_colour="#123456")
    assert get_points(figure) == {
        "other birds, unused": (3.0, 2.5, 33, "c"),
        "other birds, test": (-4.0, -4.5, 44, "d"),
        "Finch, training": (2.0, 2.0, 22, "b"),
        "Finch, test": (1.0, 1.5, 11, "a"),
    }
    assert len({(t.marker.color, t.marker.symbol) for t in figure.data[1:]}) == 4
    assert figure.layout.font.color == "#123456"


def test_the_line_runs_from_the_lowest_to_the_highest_score() -> None:
    line = render_scatter(**SCORES, category="Finch").data[0]
    assert list(line.x) == list(line.y) == [-4.5, 3.0]


def test_many_points_are_drawn_with_webgl() -> None:
    count = 3001
    many = {
        "y_hat": np.arange(count),
        "y_bar": np.arange(count),
        "is_positive": np.zeros(count),
        "sides": ["train"] * count,
        "image_ids": np.arange(count),
        "labels": [""] * count,
    }
    assert isinstance(render_scatter(**many, category="Finch").data[1], go.Scattergl)
    assert isinstance(render_scatter(**SCORES, category="Finch").data[1], go.Scatter)


def test_without_photos_only_the_line_is_drawn() -> None:
    nothing = {name: [] for name in SCORES}
    assert len(render_scatter(**nothing, category="Finch").data) == 1


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("y_bar", [1.0], "one length"),
        ("labels", ["a"] * 5, "one length"),
        ("y_hat", [1.0, np.nan, 3.0, 4.0], "finite"),
        ("y_bar", [1.0, np.inf, 3.0, 4.0], "finite"),
        ("sides", ["test", "train", "unused", "elsewhere"], "sides of the split"),
    ],
)
def test_mismatched_arguments_are_refused(name: str, values: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        render_scatter(**{**SCORES, name: values}, category="Finch")
