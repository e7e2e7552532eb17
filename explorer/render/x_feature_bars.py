"""Bar charts of x-features: their contributions, their locality, and what they rebuild of Z."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from explorer.render.density import CHOSEN_COLOUR
from explorer.render.numbers import format_number, format_signed
from explorer.render.style import (
    LOWERING_COLOUR,
    MODULE_COLOUR,
    RAISING_COLOUR,
    TEXT_COLOUR,
    add_words,
    style_figure,
)


def render_mean_contributions(
    contributions: ArrayLike,
    names: Sequence[str],
    *,
    text_colour: str = TEXT_COLOUR,
) -> go.Figure:
    """Draw the contribution of every x-feature, on average and for each photo.

    Parameters
    ----------
    contributions : array_like, shape (M, K), float
        vₙEₙ on M photos, at least one, signed, in the unit of the score.
    names : sequence of str
        K names in the order in which they are drawn from the top, as HTML.
    text_colour : str
        CSS colour of all words.

    Returns
    -------
    Figure
        For each x-feature a bar for the mean, and over it a faint mark for every photo.

    Raises
    ------
    ValueError
        When lengths differ, there is no photo, or a number is not finite.
    """
    values = np.asarray(contributions, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] != len(names) or not len(values):
        raise ValueError(f"{len(names)} names do not fit contributions {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError("contributions must be finite")
    means = values.mean(axis=0)
    rows = list(range(len(names)))
    colours = [RAISING_COLOUR if mean >= 0 else LOWERING_COLOUR for mean in means]
    figure = go.Figure(
        [
            go.Bar(
                x=means,
                y=rows,
                orientation="h",
                marker={"color": colours, "line": {"width": 0}},
                customdata=list(names),
                hovertemplate="%{customdata}: %{x:+.3f} on average<extra></extra>",
            ),
            go.Scatter(
                x=values.T.ravel(),
                y=np.repeat(rows, len(values)),
                mode="markers",
                marker={
                    "symbol": "line-ns",
                    "size": 12,
                    "line": {"width": 1.5, "color": text_colour},
                    "opacity": 0.6,
                },
                hovertemplate="one photo: %{x:+.3f}<extra></extra>",
            ),
        ]
    )
    _write_numbers(figure, [format_signed(mean) for mean in means])
    style_figure(figure, "", 56 + 40 * len(names), text_colour)
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    span = (high - low) or 1.0
    # Room on the right for the numbers.
    figure.update_xaxes(
        range=[low - 0.03 * span, high + 0.22 * span],
        showgrid=False,
        zeroline=True,
        zerolinecolor=text_colour,
    )
    figure.update_layout(margin={"t": 16})
    _label_rows(figure, names)
    return figure


def render_localities(
    localities: Sequence[float | None],
    names: Sequence[str],
    part_count: int,
    chosen: int,
    *,
    text_colour: str = TEXT_COLOUR,
) -> go.Figure:
    """Draw the locality of every x-feature, and that of an even spread as a line.

    Parameters
    ----------
    localities : sequence of float or None
        K entropies in nats, in [0, ln P]; None where an x-feature has none.
    names : sequence of str
        K names, as HTML; the caller escapes names from users.
    part_count : int
        P; its logarithm is the locality of an even spread.
    chosen : int
        The x-feature to highlight, counted from 0.
    text_colour : str
        CSS colour of all words.

    Raises
    ------
    ValueError
        When lengths differ.
    """
    if len(localities) != len(names):
        raise ValueError(f"{len(names)} names do not fit {len(localities)} localities")
    even = float(np.log(part_count))
    rows = list(range(len(names)))
    figure = go.Figure(
        go.Bar(
            x=[value or 0.0 for value in localities],
            y=rows,
            orientation="h",
            marker={
                "color": [CHOSEN_COLOUR if row == chosen else MODULE_COLOUR for row in rows],
                "line": {"width": 0},
            },
            customdata=list(names),
            hovertemplate="%{customdata}: %{x:.3f}<extra></extra>",
        )
    )
    numbers = ["none" if value is None else f"{value:.2f}" for value in localities]
    _write_numbers(figure, numbers)
    figure.add_vline(x=even, line={"color": text_colour, "width": 1.5, "dash": "dot"})
    figure.add_annotation(
        x=even,
        y=1,
        yref="paper",
        xanchor="right",
        yanchor="bottom",
        text=f"even spread, ln {part_count} = {even:.2f}",
        showarrow=False,
        font={"size": 11},
    )
    style_figure(figure, "Locality of every x-feature", 96 + 30 * len(names), text_colour)
    # Room on the right for the numbers, away from the line.
    figure.update_xaxes(visible=False, range=[0, 1.2 * (even or 1.0)])
    _label_rows(figure, names)
    return figure


def render_rebuilding(
    dimensions: Sequence[int],
    r2: ArrayLike,
    r2_held: ArrayLike,
    *,
    text_colour: str = TEXT_COLOUR,
) -> go.Figure:
    """Draw R² of dimensions of Z, and how much of it is lost without an x-feature.

    Parameters
    ----------
    dimensions : sequence of int
        N dimensions of Z, counted from 0; at least one.
    r2, r2_held : array_like, shape (N,), float
        R² with all x-features, in [0, 1], and with this one held at its mean, which is less and
        may be negative; it is then drawn as 0.
    text_colour : str
        CSS colour of all words.

    Returns
    -------
    Figure
        The length of a bar is R² with all x-features; its coloured end is the loss.

    Raises
    ------
    ValueError
        When lengths differ or there is no dimension.
    """
    whole, held = np.asarray(r2, np.float64), np.asarray(r2_held, np.float64)
    if not whole.shape == held.shape == (len(dimensions),) or not len(dimensions):
        raise ValueError(f"{len(dimensions)} dimensions do not fit {whole.shape}, {held.shape}")
    kept = np.maximum(held, 0)
    names = [f"Z {dimension}" for dimension in dimensions]
    bars = [
        go.Bar(
            x=length,
            base=start,
            y=list(range(len(names))),
            orientation="h",
            marker={"color": colour, "line": {"width": 0}},
            customdata=np.stack([np.asarray(dimensions), whole, held], axis=1),
            hovertemplate=(
                "Z %{customdata[0]}: R² falls from %{customdata[1]:.3f} to "
                "%{customdata[2]:.3f}<extra></extra>"
            ),
        )
        for start, length, colour in (
            (np.zeros_like(kept), kept, MODULE_COLOUR),
            (kept, whole - kept, CHOSEN_COLOUR),
        )
    ]
    figure = go.Figure(bars)
    figure.update_layout(barmode="overlay")
    pairs = zip(whole, held, strict=True)
    _write_numbers(
        figure, [f"{format_number(one)} → {format_number(other)}" for one, other in pairs]
    )
    style_figure(
        figure, "R² with all x-features → without this one", 80 + 30 * len(names), text_colour
    )
    figure.update_xaxes(visible=False, range=[0, 1.4])
    _label_rows(figure, names)
    return figure


def _write_numbers(figure: go.Figure, numbers: Sequence[str]) -> None:
    """Write the numbers of the rows in a column on the right."""
    place = {"x": 1, "xref": "paper", "xanchor": "right"}
    add_words(figure, ({"text": one, "y": row, **place} for row, one in enumerate(numbers)))


def _label_rows(figure: go.Figure, names: Sequence[str]) -> None:
    # By number, because two x-features may have the same name.
    figure.update_yaxes(
        autorange="reversed",
        showgrid=False,
        tickvals=list(range(len(names))),
        ticktext=[f"{name} " for name in names],
    )
