"""Interactive figures of histograms, contributions and partitions.

Backgrounds are transparent and widths are left to the page, so that a figure fits any theme and
any screen. Show them with `PLOTLY_CONFIG`.
"""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from explorer.render.numbers import format_number, format_signed
from explorer.render.partition import render_partition
from explorer.render.style import (
    LOWERING_COLOUR,
    MODULE_COLOUR,
    NETWORK_COLOUR,
    PART_COLOURS,
    PLOTLY_CONFIG,
    RAISING_COLOUR,
    TEXT_COLOUR,
    add_words,
    get_part_colours,
    style_figure,
)

__all__ = [
    "PART_COLOURS",
    "PLOTLY_CONFIG",
    "TEXT_COLOUR",
    "get_part_colours",
    "render_contributions",
    "render_part_histogram",
    "render_partition",
]


def render_part_histogram(
    values: ArrayLike,
    part_names: Sequence[str],
    *,
    locality: float | None,
    title: str = "",
    by_value: bool = True,
    text_colour: str = TEXT_COLOUR,
) -> go.Figure:
    """Draw the shares of an x-feature's map on the parts as horizontal bars.

    Parameters
    ----------
    values : array_like, shape (P,), float
        Shares in [0, 1]: S̄ of an x-feature, or S of one photo.
    part_names : sequence of str
        P names.
    locality : float or None
        Entropy in nats, added to the title; None if undefined.
    title : str
        Heading of the figure.
    by_value : bool
        True for the largest bar on top, ties in the given order; False for the given order.
    text_colour : str
        CSS colour of all words.

    Returns
    -------
    Figure
        Its bars hold `values`; a dotted line at ``1 / P`` marks an even spread.

    Raises
    ------
    ValueError
        When lengths differ, there is no part, or a share is not in [0, 1].
    """
    shares = np.asarray(values, dtype=np.float64)
    if shares.shape != (len(part_names),) or not len(part_names):
        raise ValueError(f"{len(part_names)} part names do not fit values {shares.shape}")
    if not ((shares >= 0) & (shares <= 1)).all():
        raise ValueError("shares of parts must lie in [0, 1]")
    order = np.argsort(-shares, kind="stable") if by_value else np.arange(len(shares))
    even = 1 / len(shares)
    colours = get_part_colours(part_names)
    figure = go.Figure(
        go.Bar(
            x=shares[order],
            y=[part_names[index] for index in order],
            orientation="h",
            marker={"color": [colours[index] for index in order], "line": {"width": 0}},
            hovertemplate="%{y}: %{x:.4f}<extra></extra>",
        )
    )
    figure.add_vline(x=even, line={"color": text_colour, "width": 1.5, "dash": "dot"})
    line = {"x": even, "y": 1, "yref": "paper", "yanchor": "bottom", "font": {"size": 11}}
    # In a separate column, the numbers are not crossed by the line.
    column = {"x": 1, "xref": "paper", "xanchor": "right"}
    add_words(
        figure,
        [
            {"text": f"even spread {even:.1%}", **line},
            *({"text": f"{shares[n]:.1%}", "y": row, **column} for row, n in enumerate(order)),
        ],
    )
    highest = np.log(len(shares))
    note = (
        "locality not defined"
        if locality is None
        else f"locality {format_number(locality, 3)} of at most {format_number(highest, 3)}"
    )
    style_figure(figure, title or note, (110 if title else 90) + 24 * len(shares), text_colour)
    if title:
        figure.update_layout(
            title_subtitle={"text": note, "font": {"size": 13, "weight": "normal"}},
            title_y=1,
            title_yref="container",
            title_yanchor="top",
            title_pad_t=10,
            margin_t=84,
        )
    # Room on the right for the numbers, even on a phone.
    figure.update_xaxes(range=[0, 1.3 * max(shares.max(), even)], visible=False)
    figure.update_yaxes(autorange="reversed", ticksuffix=" ", showgrid=False)
    return figure


def render_contributions(
    contributions: ArrayLike,
    names: Sequence[str],
    y_bar: float,
    y_hat: float,
    *,
    base: float = 0.0,
    text_colour: str = TEXT_COLOUR,
) -> go.Figure:
    """Draw how the contributions of the x-features add up to ȳ, beside ŷ.

    Parameters
    ----------
    contributions : array_like, shape (K,), float
        vₙEₙ, signed, in the unit of the score.
    names : sequence of str
        K names of the x-features.
    y_bar, y_hat : float
        Score of the module, which the base and the contributions sum to, and of the DNN; signed.
    base : float
        Score of the module without any x-feature. It has a bar of its own unless it is 0.
    text_colour : str
        CSS colour of all words.

    Returns
    -------
    Figure
        A waterfall: each bar starts where the one above it ends. The base, ȳ and ŷ start from zero.

    Raises
    ------
    ValueError
        When lengths differ, a number is not finite, or the sum is not ȳ.
    """
    steps = np.asarray(contributions, dtype=np.float64)
    if steps.shape != (len(names),):
        raise ValueError(f"{len(names)} names do not fit contributions {steps.shape}")
    if not np.isfinite([*steps, base, y_bar, y_hat]).all():
        raise ValueError("contributions and scores must be finite")
    total = base + steps.sum()
    # Sums in single precision are only this accurate.
    if abs(total - y_bar) > 1e-3 * (1 + np.abs(steps).sum()):
        raise ValueError(f"contributions sum to {total:.4g}, not to y_bar = {y_bar:.4g}")
    colours = [RAISING_COLOUR if step >= 0 else LOWERING_COLOUR for step in steps]
    if base:
        names, steps = ["Base", *names], np.array([base, *steps])
        colours = [MODULE_COLOUR, *colours]
    ends = np.cumsum(steps)
    labels = [*names, "Module's sum", "Network"]
    lengths = np.array([*steps, y_bar, y_hat])
    starts = np.array([*(ends - steps), 0.0, 0.0])
    figure = go.Figure(
        go.Bar(
            x=lengths,
            base=starts.tolist(),
            y=labels,
            orientation="h",
            marker={"color": [*colours, MODULE_COLOUR, NETWORK_COLOUR], "line": {"width": 0}},
            customdata=lengths,
            hovertemplate="%{y}: %{customdata:+.4f}<extra></extra>",
        )
    )
    line = {"color": text_colour, "width": 1, "dash": "dot"}
    figure.update_layout(
        shapes=[
            {"type": "line", "x0": x, "x1": x, "y0": row - 0.4, "y1": row + 1.4, "line": line}
            for row, x in enumerate(ends)
        ]
    )
    right = np.maximum(starts, starts + lengths)
    numbers = [*map(format_signed, steps), *map(format_number, lengths[len(steps) :])]
    add_words(
        figure,
        (
            {"text": number, "x": right[row], "y": row, "xanchor": "left", "xshift": 4}
            for row, number in enumerate(numbers)
        ),
    )
    difference = abs(y_bar - y_hat)
    style_figure(figure, f"Error {difference:.2f}", 80 + 34 * len(labels), text_colour)
    low, high = min(0.0, (starts + lengths).min(), starts.min()), max(0.0, right.max())
    span = (high - low) or 1.0
    figure.update_xaxes(
        range=[low - 0.03 * span, high + 0.2 * span],
        showgrid=False,
        zeroline=True,
        zerolinecolor=text_colour,
    )
    figure.update_yaxes(autorange="reversed", ticksuffix=" ", showgrid=False, type="category")
    return figure
