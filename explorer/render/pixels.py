"""A map over its photo, with part, probability and value of each cell on hover."""

import base64
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from explorer.render.partition import show_photo_below
from explorer.render.style import TEXT_COLOUR, style_figure

OUTSIDE = "outside the box"


def render_pixels(
    overlay: bytes,
    heat: NDArray[np.floating],
    labels: NDArray[np.integer],
    part_names: Sequence[str],
    size: tuple[int, int],
    *,
    extent: tuple[float, float, float, float] | None = None,
    height: int = 420,
    text_colour: str = TEXT_COLOUR,
) -> go.Figure:
    """Draw a map's picture with invisible cells over it, each with its numbers on hover.

    Parameters
    ----------
    overlay : bytes
        The map drawn over what lies in the `extent` of the photo, JPEG or PNG.
    heat : NDArray of float
        (h, w), >= 0: the map as computed.
    labels : NDArray of int
        (h, w): the part that each cell belongs to, -1 outside the box.
    part_names : sequence of str
        Names of the parts.
    size : tuple of int
        ``(height, width)`` of the photo in pixels; places are given in these pixels.
    extent : tuple of float, optional
        The part that is shown, ``(left, top, right, bottom)`` in pixels of the photo; all of it by
        default.
    height : int
        Of the figure, in screen pixels.
    text_colour : str
        CSS colour of words outside the photo.

    Returns
    -------
    Figure
        Its heatmap holds `heat`, in its own unit; P(pixel | n) of eq. 3.1 of Zhang et al. (2016)
        is `heat` over its sum, zero everywhere for a map without heat.

    Raises
    ------
    ValueError
        When the shapes differ.
    """
    if heat.ndim != 2 or heat.shape != labels.shape:
        raise ValueError(f"a map {heat.shape} does not fit labels {labels.shape}")
    total = float(heat.sum(dtype=np.float64))
    names = np.array([*part_names, OUTSIDE], dtype=object)
    cell_height, cell_width = size[0] / heat.shape[0], size[1] / heat.shape[1]
    figure = go.Figure(
        go.Heatmap(
            z=heat.astype(np.float32),
            customdata=(heat / total if total > 0 else heat).astype(np.float32),
            text=names[labels],
            x0=cell_width / 2,
            dx=cell_width,
            y0=cell_height / 2,
            dy=cell_height,
            opacity=0,
            showscale=False,
            hovertemplate=(
                "%{text}<br>x %{x:.0f}, y %{y:.0f}<br>P(pixel | n) = %{customdata:.3e}"
                "<br>c-MWP = %{z:.3e}<extra></extra>"
            ),
        )
    )
    kind = "png" if overlay.startswith(b"\x89PNG") else "jpeg"
    source = f"data:image/{kind};base64,{base64.b64encode(overlay).decode()}"
    style_figure(figure, "", height, text_colour)
    show_photo_below(figure, source, extent or (0, 0, size[1], size[0]))
    return figure
