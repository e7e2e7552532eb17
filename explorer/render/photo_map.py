"""The figure of photos in a plane: a point each, coloured by kind or by a number."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike, NDArray

from explorer.render.style import TEXT_COLOUR, style_figure

# From this number of points on, WebGL is faster than SVG.
_MOST_SHAPES = 3000
_GRID_COLOUR = "rgba(128,128,128,0.25)"
_HEIGHT = 600
_ARROW = 0.42  # of the spread of the points
_SHORTEST = 0.2  # of the longest arrow; shorter ones cannot be told apart


@dataclass(frozen=True, eq=False)
class PointGroup:
    """Points of one kind: its name in HTML, which points, and how they are drawn."""

    name: str
    rows: NDArray[np.integer]
    colour: str
    symbol: str = "circle"


@dataclass(frozen=True, eq=False)
class PointScale:
    """A number of every point, (M,), which its colour tells, and what it is, in HTML."""

    name: str
    values: NDArray[np.floating]


def render_photo_map(
    points: ArrayLike,
    shares: tuple[float, float],
    colours: Sequence[PointGroup] | PointScale,
    *,
    image_ids: ArrayLike,
    labels: Sequence[str],
    arrows: Mapping[str, tuple[float, float]],
    text_colour: str = TEXT_COLOUR,
) -> go.Figure:
    """Draw a point for every photo.

    Parameters
    ----------
    points : array_like, shape (M, 2), float
        From `explorer.analysis.projection.project`.
    shares : tuple of float
        Share of the variance along each axis, in [0, 1].
    colours : sequence of PointGroup, or PointScale
        Kinds of points, later ones above earlier ones; or a number of each.
    image_ids : array_like, shape (M,), int
        Returned by a click on a point, as ``customdata``.
    labels : sequence of str
        M texts in HTML, shown on hover.
    arrows : Mapping
        Name in HTML to the direction (x, y) in which it moves a point; short ones are left out.
    text_colour : str
        CSS colour of all words.

    Raises
    ------
    ValueError
        When lengths differ or a point is not finite.
    """
    places, ids = np.asarray(points, np.float64), np.asarray(image_ids, np.int64)
    texts = np.array(labels, dtype=np.str_)
    if places.shape != (len(ids), 2) or len(texts) != len(ids):
        raise ValueError("points, ids and labels must be of one length")
    if not np.isfinite(places).all():
        raise ValueError("points must be finite")
    draw = go.Scatter if len(ids) <= _MOST_SHAPES else go.Scattergl
    figure = go.Figure()
    for place, (name, rows, marker) in enumerate(_list_markers(colours, len(ids), text_colour)):
        figure.add_trace(
            draw(
                x=places[rows, 0],
                y=places[rows, 1],
                mode="markers",
                name=name,
                legendrank=-place,  # what is drawn above the others is named first
                marker={"size": 8, "opacity": 0.8, "line": {"width": 0}, **marker},
                customdata=ids[rows].tolist(),
                text=texts[rows],
                hovertemplate="%{text}<extra></extra>",
            )
        )
    style_figure(figure, "", _HEIGHT, text_colour)
    _draw_arrows(figure, places, arrows, text_colour)
    figure.update_layout(
        showlegend=not isinstance(colours, PointScale),
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        margin={"l": 8, "r": 8, "t": 72, "b": 16},
        hovermode="closest",
    )
    for axis, share, word in zip(("xaxis", "yaxis"), shares, ("first", "second"), strict=True):
        figure.layout[axis].update(
            title_text=f"{word} axis, {share:.0%} of the variance",
            showticklabels=False,
            gridcolor=_GRID_COLOUR,
            zeroline=False,
        )
    return figure


def _list_markers(
    colours: Sequence[PointGroup] | PointScale, count: int, text_colour: str
) -> list[tuple[str, NDArray[np.integer], dict[str, object]]]:
    if not isinstance(colours, PointScale):
        return [
            (one.name, one.rows, {"color": one.colour, "symbol": one.symbol})
            for one in colours
            if len(one.rows)
        ]
    if len(colours.values) != count:
        raise ValueError("points and their numbers must be of one length")
    order = np.argsort(colours.values, kind="stable")  # the highest above the others
    bar = {
        # Above the points: beside them, it would take most of a phone's width.
        "orientation": "h",
        **{"x": 0, "xanchor": "left", "y": 1, "yanchor": "bottom", "len": 0.6, "thickness": 12},
        "title": {"text": colours.name, "side": "top"},
        "tickfont": {"color": text_colour},
    }
    scale = {"color": colours.values[order], "colorscale": "Viridis", "colorbar": bar}
    return [(colours.name, order, scale)]


def _draw_arrows(
    figure: go.Figure,
    points: NDArray[np.float64],
    arrows: Mapping[str, tuple[float, float]],
    text_colour: str,
) -> None:
    lengths = {name: float(np.hypot(*direction)) for name, direction in arrows.items()}
    longest = max(lengths.values(), default=0.0)
    if not longest or not len(points):
        return
    factor = _ARROW * float(np.ptp(points, axis=0).max()) / longest
    for name, (x, y) in arrows.items():
        if lengths[name] >= _SHORTEST * longest:
            figure.add_annotation(
                text=name,
                x=0,
                y=0,
                ax=factor * x,  # where the words are, and with them the head of the arrow
                ay=factor * y,
                axref="x",
                ayref="y",
                arrowside="start",
                startarrowhead=2,
                arrowwidth=1.5,
                arrowcolor=text_colour,
            )
