"""The figures of a change to a photo: where it is, and what it does to numbers."""

import base64
from collections.abc import Sequence

import cv2
import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike, NDArray

from explorer.render.numbers import format_number
from explorer.render.style import (
    LOWERING_COLOUR,
    MODULE_COLOUR,
    RAISING_COLOUR,
    TEXT_COLOUR,
    style_figure,
)

_GRID = 24  # points a side, invisible, of which a selection is made
_OUTLINE = (255, 255, 255)


def render_before_after(
    before: ArrayLike,
    after: ArrayLike,
    names: Sequence[str],
    *,
    text_colour: str = TEXT_COLOUR,
) -> go.Figure:
    """Draw numbers before and after a change, one row each.

    Parameters
    ----------
    before, after : array_like, shape (N,), float
        Signed, in the same unit.
    names : sequence of str
        N names in the order in which they are drawn from the top, as HTML.
    text_colour : str
        CSS colour of all words.

    Returns
    -------
    Figure
        A line from a ring, before, to a dot, after: blue if the number rises, orange
        if it falls, and grey if it stays.

    Raises
    ------
    ValueError
        When lengths differ or a number is not finite.
    """
    first, second = np.asarray(before, np.float64), np.asarray(after, np.float64)
    if not first.shape == second.shape == (len(names),):
        raise ValueError(f"{len(names)} names do not fit {first.shape} and {second.shape}")
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise ValueError("numbers must be finite")
    rows = list(range(len(names)))
    colours = [_choose_colour(change) for change in second - first]
    figure = go.Figure()
    for row, colour in zip(rows, colours, strict=True):
        figure.add_shape(
            type="line",
            x0=first[row],
            x1=second[row],
            y0=row,
            y1=row,
            line={"color": colour, "width": 4},
            layer="below",
        )
    for values, marker, when in (
        (first, {"symbol": "circle-open", "size": 12, "color": MODULE_COLOUR}, "before"),
        (second, {"symbol": "circle", "size": 11, "color": colours}, "after"),
    ):
        figure.add_trace(
            go.Scatter(
                x=values,
                y=rows,
                mode="markers",
                marker={**marker, "line": {"width": 2}},
                customdata=list(names),
                hovertemplate=f"%{{customdata}}, {when}: %{{x:+.2f}}<extra></extra>",
            )
        )
    style_figure(figure, "", 56 + 36 * len(names), text_colour)
    figure.update_xaxes(showgrid=True, zeroline=True, zerolinecolor=text_colour)
    figure.update_yaxes(
        tickvals=rows,
        ticktext=[_label(*row) for row in zip(names, first, second, strict=True)],
        range=[len(names) - 0.5, -0.5],
        automargin=True,
        showgrid=False,
        zeroline=False,
    )
    figure.update_layout(margin={"t": 12})
    return figure


def _choose_colour(change: float) -> str:
    if round(change, 2) == 0:
        return MODULE_COLOUR
    return RAISING_COLOUR if change > 0 else LOWERING_COLOUR


def _label(name: str, before: float, after: float) -> str:
    return f"{name}<br>{format_number(before)} → {format_number(after)}"


def render_selectable_photo(
    picture: bytes, size: tuple[int, int], *, height: int = 420
) -> go.Figure:
    """Draw a photo on which a rectangle or a free outline can be drawn.

    Parameters
    ----------
    picture : bytes
        The photo, JPEG.
    size : tuple of int
        (H, W) of the photo in pixels, in which places are given.
    height : int
        Height of the figure in screen pixels.

    Returns
    -------
    Figure
        In the photo's coordinates, y downwards. Plotly selects only points, so it has a grid of
        invisible ones.
    """
    rows, columns = size
    x, y = np.meshgrid(
        np.linspace(0, columns, _GRID, endpoint=True), np.linspace(0, rows, _GRID, endpoint=True)
    )
    points = go.Scatter(
        x=x.ravel(), y=y.ravel(), mode="markers", marker={"opacity": 0}, hoverinfo="skip"
    )
    figure = go.Figure(points)
    style_figure(figure, "", height, TEXT_COLOUR)
    figure.add_layout_image(
        source=f"data:image/jpeg;base64,{base64.b64encode(picture).decode()}",
        xref="x",
        yref="y",
        x=0,
        y=0,
        sizex=columns,
        sizey=rows,
        sizing="stretch",
        layer="below",
    )
    figure.update_layout(margin={"l": 0, "r": 0, "t": 0, "b": 0}, dragmode="select")
    figure.update_xaxes(range=[0, columns], visible=False, constrain="domain")
    figure.update_yaxes(
        range=[rows, 0], visible=False, scaleanchor="x", scaleratio=1, constrain="domain"
    )
    return figure


def outline_region(image: NDArray[np.uint8], region: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return a copy of an image (H, W, 3) with a white line around a region (H, W)."""
    found, _ = cv2.findContours(region.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    thickness = max(1, round(max(region.shape) / 250))
    return np.asarray(cv2.drawContours(image.copy(), found, -1, _OUTLINE, thickness), np.uint8)
