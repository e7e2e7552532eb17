"""The figure of a training's measures over its epochs."""

import math
from collections.abc import Mapping, Sequence
from itertools import cycle, islice

import plotly.graph_objects as go

from explorer.render.style import LINE_COLOURS, TEXT_COLOUR, style_figure

_HEIGHT = 340
_MOST_POINTS = 400
# Distinguishable without colours, too.
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
_SYMBOLS = ("circle", "square", "diamond", "cross", "triangle-up")
_FEW_EPOCHS = 8  # up to which each has a tick; Plotly would add halves
_COUNT = len(_DASHES)
_LOOKS = [
    (LINE_COLOURS[n % _COUNT], _DASHES[place], _SYMBOLS[place])
    for n in range(_COUNT**2)
    for place in ((n + n // _COUNT) % _COUNT,)
]


def render_training(
    curves: Mapping[str, Sequence[float | None]],
    epochs: Sequence[int],
    title: str,
    *,
    log_scale: bool = False,
    text_colour: str = TEXT_COLOUR,
) -> go.Figure:
    """Draw measures against epochs.

    Parameters
    ----------
    curves : Mapping
        Name of each measure to its values at `epochs`, None if not measured. The first curve is
        the widest. Colours repeat after five, with other dashes and symbols. Curves of more than
        400 points are reduced to evenly spaced points, including the last.
    epochs : sequence of int
        Increasing.
    title : str
        Heading.
    log_scale : bool
        Whether the vertical axis is logarithmic, which leaves out values of 0 and below;
        otherwise it starts at zero.
    text_colour : str
        CSS colour of all words.

    Raises
    ------
    ValueError
        When a curve and the epochs differ in length.
    """
    figure = go.Figure()
    looks = islice(cycle(_LOOKS), len(curves))
    for (name, values), (colour, dash, symbol) in zip(curves.items(), looks, strict=True):
        points = [
            (epoch, value)
            for epoch, value in zip(epochs, values, strict=True)
            if value is not None and math.isfinite(value) and (value > 0 or not log_scale)
        ]
        points = _thin_out(points)
        is_first = not figure.data
        figure.add_trace(
            go.Scatter(
                x=[epoch for epoch, _ in points],
                y=[value for _, value in points],
                name=name,
                mode="lines" if len(points) > 1 else "markers",
                # A term that makes up nearly all of the sum stays visible within its wider curve.
                line={"color": colour, "dash": dash, "width": 5 if is_first else 2},
                marker={"color": colour, "size": 9, "symbol": symbol},
                hovertemplate=f"{name}, epoch %{{x}}: %{{y:.4g}}<extra></extra>",
            )
        )
    style_figure(figure, title, _HEIGHT, text_colour)
    figure.update_layout(
        showlegend=True,
        # At the bottom of the figure, however many lines it has: never upon the axis.
        legend={
            "orientation": "h",
            **{"yref": "container", "y": 0, "yanchor": "bottom"},
            "font": {"color": text_colour},
        },
        # Keeps the reader's choices when the figure is redrawn every second.
        uirevision=title,
    )
    grid = "rgba(128,128,128,0.25)"
    figure.update_xaxes(title="epoch", gridcolor=grid, zeroline=False)
    drawn = [epoch for trace in figure.data for epoch in trace.x]
    if drawn and max(drawn) - min(drawn) <= _FEW_EPOCHS:
        figure.update_xaxes(tick0=0, dtick=1)
    figure.update_yaxes(gridcolor=grid, zeroline=False)
    if log_scale:
        figure.update_yaxes(type="log", tickformat="~g", nticks=6)
    else:
        figure.update_yaxes(rangemode="tozero")
    return figure


def _thin_out(points: list[tuple[int, float]]) -> list[tuple[int, float]]:
    step = -(-len(points) // _MOST_POINTS)
    return points[::-step][::-1] if step > 1 else points
