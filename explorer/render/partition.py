"""The figure of a photo's bounding box divided among its visible parts."""

import base64
from collections.abc import Sequence

import cv2
import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike, NDArray

from explorer.render.labels import LABEL_FONT_SIZE, place_labels
from explorer.render.style import TEXT_COLOUR, add_words, get_part_colours, style_figure

_LONGEST_SIDE_SENT = 1024
_PHONE_WIDTH = 358
# Share of the picture. Names inside of a smaller box would cover the bird.
_SMALL_BOX = 0.5


def render_partition(
    photo: NDArray[np.uint8],
    polygons: Sequence[NDArray[np.floating]],
    points: ArrayLike,
    names: Sequence[str],
    box: tuple[float, float, float, float],
    *,
    extent: tuple[float, float, float, float] | None = None,
    height: int = 420,
    show_labels: bool = True,
    text_colour: str = TEXT_COLOUR,
) -> go.Figure:
    """Draw the bounding box divided among the visible parts, over the photo.

    Parameters
    ----------
    photo : ndarray, shape (H, W, 3), uint8
        RGB in 0 … 255; what lies in the `extent`.
    polygons : sequence of ndarray, each of shape (V, 2), float
        One per part, corners ``(x, y)`` in pixels of the photo, from
        `explorer.analysis.voronoi.compute_cell_polygons`; empty ones are not drawn.
    points : array_like, shape (P, 2), float
        Points of the parts ``(x, y)`` in pixels of the photo; rows of invisible parts are not
        finite.
    names : sequence of str
        P names.
    box : tuple of float
        ``(x, y, width, height)`` in pixels of the photo.
    extent : tuple of float, optional
        The part that is shown, ``(left, top, right, bottom)`` in the same pixels; by default,
        `photo` is all of it.
    height : int
        Height of the figure in screen pixels.
    show_labels : bool
        Whether to write names beside the points, and around the box where it is small. Names that
        would overlap on a phone are left out; all are shown on hover.
    text_colour : str
        CSS colour of words outside the photo.

    Returns
    -------
    Figure
        In the photo's coordinates, y downwards, with equal scales on both axes.

    Raises
    ------
    ValueError
        When lengths or shapes do not fit.
    """
    positions = np.asarray(points, dtype=np.float64)
    if not len(polygons) == len(positions) == len(names):
        raise ValueError(f"{len(polygons)} cells, {len(positions)} points, {len(names)} names")
    if photo.ndim != 3 or photo.shape[2] != 3 or photo.dtype != np.uint8:
        raise ValueError(f"a photo must be (H, W, 3) uint8, not {photo.shape} {photo.dtype}")
    shown = extent or (0, 0, photo.shape[1], photo.shape[0])
    colours = get_part_colours(names)
    cells = [
        _make_cell(polygon, name, colour)
        for polygon, name, colour in zip(polygons, names, colours, strict=True)
        if len(polygon)
    ]
    is_visible = np.isfinite(positions).all(axis=1)
    seen = [int(index) for index in np.flatnonzero(is_visible)]
    marks = go.Scatter(
        x=positions[seen, 0],
        y=positions[seen, 1],
        mode="markers",
        text=[names[index] for index in seen],
        marker={
            "size": 9,
            "color": [colours[index] for index in seen],
            "line": {"width": 1.5, "color": "white"},
        },
        hovertemplate="%{text} (%{x:.0f}, %{y:.0f})<extra></extra>",
    )
    figure = go.Figure([*cells, marks])
    left, top, width, depth = box
    figure.add_shape(
        type="rect",
        x0=left,
        y0=top,
        x1=left + width,
        y1=top + depth,
        line={"color": "white", "width": 2, "dash": "dash"},
    )
    if show_labels:
        _add_names(
            figure,
            positions[seen],
            [names[index] for index in seen],
            box,
            extent=shown,
            height=height,
        )
    style_figure(figure, "", height, text_colour)
    show_photo_below(figure, _encode_photo(photo), shown)
    return figure


def show_photo_below(
    figure: go.Figure, source: str, extent: tuple[float, float, float, float]
) -> None:
    """Put a picture below a figure, with equal scales on both axes and y downwards.

    Parameters
    ----------
    figure : Figure
        Changed in place.
    source : str
        The picture, as a data URI.
    extent : tuple of float
        ``(left, top, right, bottom)`` of the picture in the figure's coordinates.
    """
    left, top, right, bottom = extent
    figure.update_layout(margin={"l": 0, "r": 0, "t": 0, "b": 0})
    figure.add_layout_image(
        source=source,
        xref="x",
        yref="y",
        x=left,
        y=top,
        sizex=right - left,
        sizey=bottom - top,
        sizing="stretch",
        layer="below",
    )
    # At the top left of the figure, it is as high as the picture in the next column.
    figure.update_xaxes(
        range=[left, right], visible=False, constrain="domain", constraintoward="left"
    )
    figure.update_yaxes(
        range=[bottom, top],
        visible=False,
        scaleanchor="x",
        scaleratio=1,
        constrain="domain",
        constraintoward="top",
    )


def _make_cell(polygon: NDArray[np.floating], name: str, colour: str) -> go.Scatter:
    red, green, blue = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    closed = np.vstack([polygon, polygon[:1]])
    return go.Scatter(
        x=closed[:, 0],
        y=closed[:, 1],
        mode="lines",
        fill="toself",
        fillcolor=f"rgba({red},{green},{blue},0.38)",
        line={"color": "rgba(255,255,255,0.85)", "width": 1},
        name=name,
        text=name,
        hoveron="fills",
        hoverinfo="text",
    )


def _add_names(
    figure: go.Figure,
    positions: NDArray[np.float64],
    names: Sequence[str],
    box: tuple[float, float, float, float],
    *,
    extent: tuple[float, float, float, float],
    height: int,
) -> None:
    left, top, right, bottom = extent
    # Placed for a phone. On wider screens, points move apart and names keep their distance.
    scale = min(_PHONE_WIDTH / (right - left), height / (bottom - top))
    size = ((bottom - top) * scale, (right - left) * scale)
    x, y, width, depth = box
    clear = None
    if width * depth < _SMALL_BOX * (right - left) * (bottom - top):
        edges = (x - left, y - top, x - left + width, y - top + depth)
        clear = (edges[0] * scale, edges[1] * scale, edges[2] * scale, edges[3] * scale)
    looks = {
        "showarrow": True,
        "xanchor": "center",
        "yanchor": "middle",
        "arrowhead": 0,
        "arrowwidth": 1,
        "arrowcolor": "white",
        "standoff": 4,
        "font": {"size": LABEL_FONT_SIZE, "color": "white"},
        "bgcolor": "rgba(20,22,28,0.72)",
        "borderpad": 2,
        "captureevents": False,
    }
    labels = place_labels((positions - (left, top)) * scale, names, size, clear)
    add_words(
        figure,
        (
            {
                "text": names[label.index],
                "x": positions[label.index, 0],
                "y": positions[label.index, 1],
                "ax": label.shift[0],
                "ay": label.shift[1],
                **looks,
            }
            for label in labels
        ),
    )


def _encode_photo(photo: NDArray[np.uint8]) -> str:
    """Encode a photo, half faded to grey and reduced if large, as a data URI."""
    shrink = _LONGEST_SIDE_SENT / max(photo.shape[:2])
    if shrink < 1:
        size = (max(1, round(photo.shape[1] * shrink)), max(1, round(photo.shape[0] * shrink)))
        photo = np.asarray(cv2.resize(photo, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    # A cell's tint can only be recognised on a photo with little colour of its own.
    grey = cv2.cvtColor(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    faded = cv2.addWeighted(photo, 0.5, grey, 0.5, 0)
    bgr = cv2.cvtColor(faded, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 90])
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode()
