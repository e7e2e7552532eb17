"""The figure of deletion and insertion curves."""

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from explorer.render.style import TEXT_COLOUR, style_figure

_HEIGHT = 420
_DASHES = ("solid", "dot")


def render_curves(
    curves: Mapping[str, Mapping[str, Sequence[float]]],
    fractions: Sequence[float],
    title: str,
    *,
    colours: Mapping[str, str],
    text_colour: str = TEXT_COLOUR,
) -> go.Figure:
    """Draw the rest of a score against the share of the photo that was changed.

    Parameters
    ----------
    curves : Mapping
        Title of each method to way (``deletion`` solid, ``insertion`` dotted) to its values at
        `fractions`, on a scale on which the photo has 1 and its blur 0.
    fractions : sequence of float
        In [0, 1].
    title : str
        Heading.
    colours : Mapping
        Title of each method to its colour, ``#rrggbb``.
    text_colour : str
        CSS colour of all words.

    Raises
    ------
    KeyError
        When a method has no colour.
    ValueError
        When a method lacks a way, or a curve and the fractions differ in length.
    """
    figure = go.Figure()
    for method, ways in curves.items():
        for (way, values), dash in zip(ways.items(), _DASHES, strict=True):
            if len(values) != len(fractions):
                raise ValueError(f"{len(values)} values do not fit {len(fractions)} fractions")
            figure.add_trace(
                go.Scatter(
                    x=list(fractions),
                    y=list(values),
                    name=method,
                    legendgroup=method,
                    showlegend=dash == _DASHES[0],
                    mode="lines+markers",
                    line={"color": colours[method], "dash": dash, "width": 2},
                    marker={"size": 5},
                    hovertemplate=f"{method}, {way} %{{x:.0%}}: %{{y:.2f}}<extra></extra>",
                )
            )
    style_figure(figure, title, _HEIGHT, text_colour)
    figure.update_layout(
        showlegend=True, legend={"orientation": "h", "y": -0.3, "font": {"color": text_colour}}
    )
    grid = "rgba(128,128,128,0.25)"
    figure.update_xaxes(title="share of the photo changed", tickformat=".0%", gridcolor=grid)
    figure.update_yaxes(title="score: photo 1, blur 0", gridcolor=grid, zeroline=False)
    return figure
