"""The figure of how strongly an x-feature fires on photos of its category and on others."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike, NDArray
from plotly.subplots import make_subplots

from explorer.render.style import MODULE_COLOUR, TEXT_COLOUR, style_figure

# The app's accent colour. It stands neither for raising nor for lowering a score.
CHOSEN_COLOUR = "#2f8f8b"

_COLOURS = (CHOSEN_COLOUR, MODULE_COLOUR)
_GRID_COLOUR = "rgba(128,128,128,0.25)"


def render_density(
    edges: ArrayLike,
    shares: ArrayLike,
    inactive_shares: ArrayLike,
    names: Sequence[str],
    *,
    text_colour: str = TEXT_COLOUR,
) -> go.Figure:
    """Draw shares of photos by activation, with inactive photos on the left on their own scale.

    If nearly all photos of other categories are inactive, a common scale would hide the few that
    are active.

    Parameters
    ----------
    edges : array_like, shape (B + 1,), float
        Of the bins, in the activation's unit, increasing.
    shares : array_like, shape (2, B), float
        Of all photos of a kind, in [0, 1]: the category's own, then others.
    inactive_shares : array_like, shape (2,), float
        The same for an activation of 0; NaN where there is no photo of a kind.
    names : sequence of str
        The two kinds, in words.
    text_colour : str
        CSS colour of all words.

    Raises
    ------
    ValueError
        When shapes do not fit or a share is not in [0, 1].
    """
    borders, active = np.asarray(edges, np.float64), np.asarray(shares, np.float64)
    inactive = np.asarray(inactive_shares, np.float64)
    if active.shape != (2, len(borders) - 1) or inactive.shape != (2,) or len(names) != 2:
        raise ValueError(f"edges {borders.shape}, shares {active.shape} and names do not fit")
    known = np.concatenate([active.ravel(), inactive[~np.isnan(inactive)]])
    if not ((known >= 0) & (known <= 1)).all():
        raise ValueError("shares of photos must lie in [0, 1]")
    figure = make_subplots(cols=2, column_widths=[0.22, 0.78], horizontal_spacing=0.12)
    for row, (name, colour) in enumerate(zip(names, _COLOURS, strict=True)):
        figure.add_trace(_draw_inactive(inactive[row], name, colour), 1, 1)
        figure.add_trace(_draw_active(borders, active[row], name, colour), 1, 2)
    style_figure(figure, "", 320, text_colour)
    figure.update_layout(
        barmode="overlay",
        showlegend=True,
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        margin={"l": 8, "r": 8, "t": 56, "b": 16},
    )
    figure.update_yaxes(
        gridcolor=_GRID_COLOUR, zeroline=False, tickformat=".0~%", rangemode="tozero"
    )
    figure.update_yaxes(range=[0, 1.12], tickvals=[0, 0.5, 1], col=1)
    figure.update_xaxes(showgrid=False, zeroline=False)
    figure.update_xaxes(showticklabels=False, title_text="inactive", col=1)
    figure.update_xaxes(title_text="activation, where active", range=[0, borders[-1]], col=2)
    return figure


def _draw_inactive(share: float, name: str, colour: str) -> go.Bar:
    is_known = not np.isnan(share)
    return go.Bar(
        x=[name],
        y=[share if is_known else 0.0],
        name=name,
        legendgroup=name,
        showlegend=False,
        marker={"color": colour, "line": {"width": 0}},
        text=[f"{share:.0%}" if is_known else "–"],
        textposition="outside",
        cliponaxis=False,
        hovertemplate=f"{name}<br>inactive: %{{y:.1%}}<extra></extra>",
    )


def _draw_active(
    edges: NDArray[np.float64], shares: NDArray[np.float64], name: str, colour: str
) -> go.Bar:
    return go.Bar(
        x=(edges[:-1] + edges[1:]) / 2,
        y=shares,
        width=np.diff(edges),
        name=name,
        legendgroup=name,
        opacity=0.65,
        marker={"color": colour, "line": {"width": 0}},
        customdata=np.stack([edges[:-1], edges[1:]], axis=1),
        hovertemplate=(
            f"{name}<br>%{{customdata[0]:.2f}} to %{{customdata[1]:.2f}}: %{{y:.2%}}<extra></extra>"
        ),
    )
