"""The figure of one measure for all methods: a point per category, and means with intervals."""

from collections.abc import Mapping

import plotly.graph_objects as go

from explorer.render.style import TEXT_COLOUR, style_figure

_ROW_HEIGHT = 54
_FEW, _SIZES = 20, (8, 5)  # diameter of up to so many points in a row, and of more


def render_distribution(
    values: Mapping[str, Mapping[str, float]],
    measure: str,
    *,
    means: Mapping[str, tuple[float, float, float]],
    colours: Mapping[str, str],
    paper: Mapping[str, float] | None = None,
    text_colour: str = TEXT_COLOUR,
) -> go.Figure:
    """Draw each category's value as a point, in one row per method, with mean and interval.

    Parameters
    ----------
    values : Mapping
        Title of each method, from the top, to category and value.
    measure : str
        Heading, and name of the axis.
    means : Mapping
        Title of each method to its mean and the ends of the mean's confidence interval.
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
                marker={
                    "color": colours[title],
                    "size": _SIZES[len(points) > _FEW],
                    "opacity": 0.65,
                },
                zorder=1,  # above the mean, whose ends would hide those who are there
                line={"width": 0},
                fillcolor="rgba(0,0,0,0)",
                hovertemplate="%{text}: %{x:.3f}<extra></extra>",
                hoveron="points",
            )
        )
    figure.add_trace(_draw_means({title: means[title] for title in values}, text_colour))
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


def _draw_means(means: Mapping[str, tuple[float, float, float]], colour: str) -> go.Scatter:
    above = [high - mean for mean, _, high in means.values()]
    below = [mean - low for mean, low, _ in means.values()]
    return go.Scatter(
        x=[mean for mean, _, _ in means.values()],
        y=list(means),
        mode="markers",
        marker={"symbol": "line-ns", "size": 12, "line": {"color": colour, "width": 2.5}},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": above,
            "arrayminus": below,
            "color": colour,
            "thickness": 1.5,
            "width": 4,
        },
        customdata=[(low, high) for _, low, high in means.values()],
        hovertemplate="mean: %{x:.3f} (%{customdata[0]:.3f}–%{customdata[1]:.3f})<extra></extra>",
    )
