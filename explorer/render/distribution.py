"""The figure of one measure for all methods, with one point per category."""

from collections.abc import Mapping

import plotly.graph_objects as go

from explorer.render.style import TEXT_COLOUR, style_figure

_ROW_HEIGHT = 54


def render_distribution(
    values: Mapping[str, Mapping[str, float]],
    measure: str,
    *,
    colours: Mapping[str, str],
    paper: Mapping[str, float] | None = None,
    text_colour: str = TEXT_COLOUR,
) -> go.Figure:
    """Draw each category's value as a point, in one row per method, with quartiles and mean.

    Parameters
    ----------
    values : Mapping
        Title of each method, from the top, to category and value.
    measure : str
        Heading, and name of the axis.
    colours : Mapping
        Title of each method to its colour, ``#rrggbb``.
    paper : Mapping, optional
        Title of a method to the paper's figure, drawn as a diamond.
    text_colour : str
        CSS colour of all words.

    Raises
    ------
    KeyError
        When a method has no colour.
    """
    figure = go.Figure()
    for title, points in values.items():
        figure.add_trace(
            go.Box(
                x=list(points.values()),
                y=[title] * len(points),
                text=list(points),
                orientation="h",
                boxpoints="all",
                jitter=0.5,
                pointpos=0,
                boxmean=True,
                marker={"color": colours[title], "size": 5, "opacity": 0.65},
                line={"color": text_colour, "width": 1},
                fillcolor="rgba(0,0,0,0)",
                hovertemplate="%{text}: %{x:.3f}<extra></extra>",
                hoveron="points",
            )
        )
    published = {title: figure_ for title, figure_ in (paper or {}).items() if title in values}
    if published:
        figure.add_trace(
            go.Scatter(
                x=list(published.values()),
                y=list(published),
                mode="markers",
                marker={"symbol": "diamond-open", "size": 12, "color": text_colour},
                hovertemplate="the paper: %{x:.4f}<extra></extra>",
            )
        )
    style_figure(figure, measure, 110 + _ROW_HEIGHT * len(values), text_colour)
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_xaxes(gridcolor="rgba(128,128,128,0.25)", zeroline=False)
    return figure
