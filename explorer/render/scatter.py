"""The figure of the module's score against the network's, with one point per photo."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike, NDArray

from explorer.render.style import LINE_COLOURS, MODULE_COLOUR, TEXT_COLOUR, style_figure

# From this number of points on, WebGL is faster than SVG.
_MOST_SHAPES = 3000
_OWN_COLOUR, _OTHER_COLOUR = LINE_COLOURS[0], MODULE_COLOUR
_GRID_COLOUR = "rgba(128,128,128,0.25)"
# Symbol and name in the legend for each side of the split, in drawing order.
_SIDES: Mapping[str, tuple[str, str]] = {
    "unused": ("x-thin-open", "unused"),
    "train": ("circle-open", "training"),
    "test": ("circle", "test"),
}


def render_scatter(
    y_hat: ArrayLike,
    y_bar: ArrayLike,
    *,
    is_positive: ArrayLike,
    sides: Sequence[str],
    image_ids: ArrayLike,
    labels: Sequence[str],
    category: str,
    text_colour: str = TEXT_COLOUR,
) -> go.Figure:
    """Draw ȳ (vertical) against ŷ (horizontal); on the dotted line both are equal.

    Parameters
    ----------
    y_hat, y_bar : array_like, shape (M,), float
        The network's and the module's score, signed, finite.
    is_positive : array_like, shape (M,), bool
        Photos of the module's category.
    sides : sequence of str
        M of ``"test"``, ``"train"`` and ``"unused"``.
    image_ids : array_like, shape (M,), int
        Returned by a click on a point, as ``customdata``.
    labels : sequence of str
        M texts in HTML, shown with the scores on hover.
    category : str
        Name of the module's category, in HTML.
    text_colour : str
        CSS colour of all words.

    Returns
    -------
    Figure
        A trace for each kind of photo that occurs: the category's own above the others, test
        photos above training photos.

    Raises
    ------
    ValueError
        When lengths differ, a score is not finite or a side is unknown.
    """
    across, up = (np.asarray(values, dtype=np.float64) for values in (y_hat, y_bar))
    own, ids = np.asarray(is_positive, dtype=bool), np.asarray(image_ids, dtype=np.int64)
    names, texts = np.array(sides, dtype=np.str_), np.array(labels, dtype=np.str_)
    if not (across.ndim == 1 and {a.shape for a in (up, own, ids, names, texts)} == {across.shape}):
        raise ValueError("scores, kinds, ids and labels must be of one length")
    if not (np.isfinite(across).all() and np.isfinite(up).all()):
        raise ValueError("scores must be finite")
    if not set(names.tolist()) <= set(_SIDES):
        raise ValueError(f"sides of the split are {', '.join(_SIDES)}")
    figure = go.Figure(_draw_identity(across, up, text_colour))
    draw = go.Scatter if len(across) <= _MOST_SHAPES else go.Scattergl
    for is_own in (False, True):
        for side, (symbol, word) in _SIDES.items():
            rows = np.flatnonzero((own == is_own) & (names == side))
            if rows.size:
                figure.add_trace(
                    draw(
                        x=across[rows],
                        y=up[rows],
                        mode="markers",
                        name=f"{category if is_own else 'other birds'}, {word}",
                        legendrank=100 - len(figure.data),
                        marker={
                            "color": _OWN_COLOUR if is_own else _OTHER_COLOUR,
                            "size": 9 if is_own else 6,
                            "symbol": symbol,
                            "opacity": 0.9 if is_own else 0.6,
                            "line": {"width": 1.2},
                        },
                        customdata=ids[rows].tolist(),
                        text=texts[rows],
                        hovertemplate="%{text}<br>network %{x:.2f}, module %{y:.2f}<extra></extra>",
                    )
                )
    style_figure(figure, "", 460, text_colour)
    figure.update_layout(
        showlegend=True,
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        margin={"l": 8, "r": 8, "t": 72, "b": 16},
        hovermode="closest",
    )
    figure.update_xaxes(title_text="Network's score", gridcolor=_GRID_COLOUR, zeroline=False)
    figure.update_yaxes(title_text="Module's score", gridcolor=_GRID_COLOUR, zeroline=False)
    return figure


def _draw_identity(
    across: NDArray[np.float64], up: NDArray[np.float64], text_colour: str
) -> go.Scatter:
    values = np.concatenate([across, up, np.zeros(1)])
    ends = [float(values.min()), float(values.max())]
    return go.Scatter(
        x=ends,
        y=ends,
        mode="lines",
        line={"color": text_colour, "width": 1.5, "dash": "dot"},
        hoverinfo="skip",
        showlegend=False,
    )
