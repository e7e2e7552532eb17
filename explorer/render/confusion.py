"""The figure of a confusion matrix, whose cells can be clicked."""

import html
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from explorer.render.style import LOWERING_COLOUR, RAISING_COLOUR, TEXT_COLOUR, style_figure

EMPTY = -1
"""What a click on an empty cell returns."""

_ROW_HEIGHT, _MARGIN = 30, 210
_REACH = 60  # pixels from the middle of a cell, however wide it is
_LONGEST_NAME = 20  # so that a phone has room for cells
_STRONGEST = 0.55  # opacity at which words on a cell can be read on both themes


def render_confusion(
    table: NDArray[np.integer],
    totals: NDArray[np.integer],
    names: Sequence[str],
    *,
    text_colour: str = TEXT_COLOUR,
) -> go.Figure:
    """Draw how many photos of each category were taken for each; right ones blue, others orange.

    Parameters
    ----------
    table : ndarray, shape (N, N), int
        Number of photos; row: shown, column: named.
    totals : ndarray, shape (N,), int
        Number of all photos of each category, also of those named something that is not drawn.
    names : sequence of str
        N names of categories, in plain text.
    text_colour : str
        CSS colour of all words.

    Returns
    -------
    Figure
        A click on a cell returns ``row * N + column`` as ``customdata``, or `EMPTY`.

    Raises
    ------
    ValueError
        When lengths differ, or there is no category.
    """
    count = len(names)
    if table.shape != (count, count) or totals.shape != (count,) or not count:
        raise ValueError(f"{count} names do not fit {table.shape} and {totals.shape}")
    shares = table / np.maximum(totals, 1)[:, np.newaxis]
    is_right = np.eye(count, dtype=bool)
    rows, columns = (index.ravel() for index in np.indices(table.shape))
    cells = np.where(table.ravel() > 0, rows * count + columns, EMPTY)
    figure = go.Figure(
        [
            _draw_cells(
                np.where(is_right, shares, np.nan), table, 1.0, RAISING_COLOUR, text_colour
            ),
            _draw_cells(
                np.where(is_right | (table == 0), np.nan, shares),
                table,
                float(shares[~is_right].max(initial=0.0)),
                LOWERING_COLOUR,
                text_colour,
            ),
            # Plotly tells of clicks on points, and not of those on the cells of a heat map. Points
            # are small and in every cell, or a neighbour's would be nearer where cells are narrow.
            go.Scatter(
                x=columns,
                y=rows,
                mode="markers",
                marker={"size": 2, "opacity": 0},
                customdata=cells.tolist(),
                text=[
                    _describe(names, table, totals, row, column)
                    for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
                ],
                hovertemplate="%{text}<extra></extra>",
            ),
        ]
    )
    style_figure(figure, "", _MARGIN + _ROW_HEIGHT * count, text_colour)
    labels = [html.escape(_shorten(name)) for name in names]
    figure.update_layout(
        margin={"l": 8, "r": 8, "t": 8, "b": 8}, hovermode="closest", hoverdistance=_REACH
    )
    ticks = {
        "tickvals": list(range(count)),
        "ticktext": labels,
        "showgrid": False,
        "zeroline": False,
    }
    figure.update_xaxes(title_text="taken for", tickangle=-90, range=[-0.5, count - 0.5], **ticks)
    figure.update_yaxes(title_text="shown", range=[count - 0.5, -0.5], **ticks)
    return figure


def _draw_cells(
    shares: NDArray[np.float64],
    table: NDArray[np.integer],
    top: float,
    colour: str,
    text_colour: str,
) -> go.Heatmap:
    red, green, blue = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return go.Heatmap(
        z=shares,
        zmin=0,
        zmax=top or 1,
        colorscale=[[end, f"rgba({red},{green},{blue},{_STRONGEST * end})"] for end in (0.0, 1.0)],
        showscale=False,
        hoverinfo="skip",
        xgap=1,
        ygap=1,
        text=np.where(np.isnan(shares) | (table == 0), "", table.astype(np.str_)),
        texttemplate="%{text}",
        textfont={"color": text_colour},
    )


def _describe(
    names: Sequence[str],
    table: NDArray[np.integer],
    totals: NDArray[np.integer],
    row: int,
    column: int,
) -> str:
    shown, said = html.escape(names[row]), html.escape(names[column])
    what = f"{shown}, named correctly" if row == column else f"{shown}<br>taken for {said}"
    return f"{what}: {table[row, column]} of {totals[row]}"


def _shorten(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"
