"""Curves of what a training measures, epoch by epoch."""

import math
from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from explorer.render.style import METHOD_COLOURS, TEXT_COLOUR, style_figure

_HEIGHT = 340
_MOST_POINTS = 400
# Told apart without colours as well.
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash")


def render_training(
    curves: Mapping[str, Sequence[float | None]],
    epochs: Sequence[int],
    title: str,
    *,
    log_scale: bool = False,
    text_colour: str = TEXT_COLOUR,
) -> go.Figure:
    """Draw measures against the epochs in which they were taken.

    Parameters
    ----------
    curves : Mapping
        Name of each measure to its values at `epochs`, None where it was not taken; up to five,
        the first drawn broadest.
        Where a curve has more than some hundred points, evenly spaced ones of them are drawn, the
        last always.
    epochs : sequence of int
        Rising.
    title : str
        Heading.
    log_scale : bool
        Values on a scale on which equal distances are equal factors, and that leaves out those
        that are not above zero; else a scale that starts at zero.
    text_colour : str
        CSS colour of all words.

    Raises
    ------
    ValueError
        When a curve and the epochs differ in length.
    """
    figure = go.Figure()
    for (name, values), colour, dash in zip(curves.items(), METHOD_COLOURS, _DASHES, strict=False):
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
                # One that lies on the first, as a term that makes up nearly all of the sum, is
                # seen within it.
                line={"color": colour, "dash": dash, "width": 5 if is_first else 2},
                marker={"color": colour, "size": 6},
                hovertemplate=f"{name}, epoch %{{x}}: %{{y:.4g}}<extra></extra>",
            )
        )
    style_figure(figure, title, _HEIGHT, text_colour)
    figure.update_layout(
        showlegend=True,
        legend={"orientation": "h", "y": -0.28, "font": {"color": text_colour}},
        # A figure that is drawn anew every second keeps what its reader has done to it.
        uirevision=title,
    )
    grid = "rgba(128,128,128,0.25)"
    figure.update_xaxes(title="epoch", gridcolor=grid, zeroline=False)
    figure.update_yaxes(gridcolor=grid, zeroline=False)
    if log_scale:
        figure.update_yaxes(type="log", tickformat="~g", nticks=6)
    else:
        figure.update_yaxes(rangemode="tozero")
    return figure


def _thin_out(points: list[tuple[int, float]]) -> list[tuple[int, float]]:
    step = -(-len(points) // _MOST_POINTS)
    return points[::-step][::-1] if step > 1 else points
