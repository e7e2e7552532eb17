"""The figure of photos in a plane: a point each, coloured by kind or by a number."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike, NDArray
from plotly.colors import sample_colorscale

from explorer.render.style import TEXT_COLOUR, style_figure

# From this number of points on, WebGL is faster than SVG.
_MOST_SHAPES = 3000
_GRID_COLOUR = "rgba(128,128,128,0.25)"
_HEIGHT = 600
_ARROW = 0.42  # of the spread of the points
_SHORTEST = 0.2  # of the longest arrow; shorter ones cannot be told apart
_FEW, _SIZE, _OPACITY = 300, 8, 0.8  # up to so many points, how they are drawn
_SMALLEST, _FAINTEST = 3.5, 0.55  # where there are thousands
_PAPER, _SLATE = "rgba(252,251,248,0.7)", "rgba(20,24,29,0.7)"  # behind words, by theme
_ON_PAPER, _ON_SLATE = (0.0, 0.85), (0.35, 1.0)  # of viridis, what can be seen there
_STEPS = 16


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
        Colour of all words, ``#rrggbb``.

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
    figure, looks = go.Figure(), _choose_looks(len(ids))
    for place, (name, rows, marker) in enumerate(_list_markers(colours, len(ids), text_colour)):
        figure.add_trace(
            draw(
                x=places[rows, 0],
                y=places[rows, 1],
                mode="markers",
                name=name,
                legendrank=-place,  # what is drawn above the others is named first
                marker={**looks, "line": {"width": 0}, **marker},
                customdata=ids[rows].tolist(),
                text=texts[rows],
                hovertemplate="%{text}<extra></extra>",
            )
        )
    style_figure(figure, "", _HEIGHT, text_colour)
    _draw_arrows(figure, places, arrows, text_colour)
    figure.update_layout(
        showlegend=not isinstance(colours, PointScale),
        legend={
            **{"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
            "itemsizing": "constant",
        },
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


def _choose_looks(count: int) -> dict[str, float]:
    """Return size and opacity of points: where there are many, those below others show through."""
    share = min(1.0, (_FEW / max(1, count)) ** 0.25)
    return {
        "size": round(max(_SMALLEST, _SIZE * share), 1),
        "opacity": round(max(_FAINTEST, _OPACITY * share), 2),
    }


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
    scale = {
        "color": colours.values[order],
        "colorscale": _choose_scale(text_colour),
        "colorbar": bar,
    }
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
                bgcolor=_choose_backing(text_colour),
            )


def _choose_backing(text_colour: str) -> str:
    """Return the colour behind words."""
    return _SLATE if _is_bright(text_colour) else _PAPER


def _choose_scale(text_colour: str) -> list[str]:
    """Return viridis without the end that is near the background."""
    ends = _ON_SLATE if _is_bright(text_colour) else _ON_PAPER
    scale: list[str] = sample_colorscale("Viridis", np.linspace(*ends, _STEPS).tolist())
    return scale


def _is_bright(text_colour: str) -> bool:
    """Whether words are bright, and thus the page is dark."""
    return min(int(text_colour[place : place + 2], 16) for place in (1, 3, 5)) > 160
