"""The figure of how often a classifier is right at each certainty."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from explorer.render.style import MODULE_COLOUR, NETWORK_COLOUR, TEXT_COLOUR, style_figure

_HEIGHT = 420
_SMALLEST, _LARGEST = 7, 26  # diameters of points, in pixels
_COLOURS = (MODULE_COLOUR, NETWORK_COLOUR)
_MARKS = ("square", "circle")


def render_reliability(
    series: Mapping[str, tuple[ArrayLike, ArrayLike, Sequence[int]]],
    *,
    text_colour: str = TEXT_COLOUR,
) -> go.Figure:
    """Draw accuracy against certainty; on the diagonal, certainty says how often it is right.

    Parameters
    ----------
    series : Mapping
        Name to certainty (B,), accuracy (B,), both in [0, 1] or NaN for an empty bin, and counts
        of photos (B,). The first is drawn with grey squares, the second with coloured circles.
    text_colour : str
        CSS colour of all words.

    Returns
    -------
    Figure
        A point for each bin that is not empty, as large as it has photos.

    Raises
    ------
    ValueError
        When lengths differ, or there are more than two series.
    """
    figure = go.Figure()
    diagonal = {"color": text_colour, "width": 1.5, "dash": "dot"}
    figure.add_shape(type="line", x0=0, y0=0, x1=1, y1=1, line=diagonal)
    for (name, columns), colour, mark in zip(
        series.items(), _COLOURS[-len(series) :], _MARKS[-len(series) :], strict=True
    ):
        certainty, accuracy, counts = (np.asarray(column, np.float64) for column in columns)
        if not certainty.shape == accuracy.shape == counts.shape:
            raise ValueError("certainty, accuracy and counts differ in length")
        shown = counts > 0
        sizes = np.sqrt(counts[shown] / max(1.0, counts.max()))
        figure.add_trace(
            go.Scatter(
                x=certainty[shown],
                y=accuracy[shown],
                name=name,
                mode="lines+markers",
                line={"color": colour, "width": 2},
                marker={
                    "size": _SMALLEST + (_LARGEST - _SMALLEST) * sizes,
                    "symbol": mark,
                    "opacity": 0.8,
                },
                customdata=counts[shown],
                hovertemplate=f"{name}: certain %{{x:.0%}}, right %{{y:.0%}} of %{{customdata}}"
                "<extra></extra>",
            )
        )
    style_figure(figure, "", _HEIGHT, text_colour)
    figure.update_layout(
        showlegend=True,
        legend={
            "orientation": "h",
            "y": -0.25,
            "font": {"color": text_colour},
            "itemsizing": "constant",
        },
        margin={"l": 8, "r": 16, "t": 16, "b": 16},
    )
    grid = "rgba(128,128,128,0.25)"
    figure.update_xaxes(
        title="certainty", tickformat=".0%", range=[0, 1.03], gridcolor=grid, zeroline=False
    )
    figure.update_yaxes(
        title="right", tickformat=".0%", range=[0, 1.05], gridcolor=grid, zeroline=False
    )
    return figure
