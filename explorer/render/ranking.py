"""The figure of a classifier's highest scores."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from explorer.render.numbers import format_number
from explorer.render.style import NETWORK_COLOUR, TEXT_COLOUR, add_words, style_figure

_ROW_HEIGHT = 46
_PALE = 0.45


def render_ranking(
    scores: ArrayLike,
    shares: ArrayLike | None,
    names: Sequence[str],
    *,
    text_colour: str = TEXT_COLOUR,
) -> go.Figure:
    """Draw categories with their scores as horizontal bars, in the given order from the top.

    Parameters
    ----------
    scores : array_like, shape (C,), float
        ŷ, before softmax; signed. A bar starts at zero and ends at the score.
    shares : array_like, shape (C,), float, or None
        Softmax over all categories, in [0, 1]; written beside the scores. None to leave them out.
    names : sequence of str
        C names, written above their bars, where a phone has room for them.
    text_colour : str
        CSS colour of all words.

    Returns
    -------
    Figure
        The first bar is in full colour, the others are pale.

    Raises
    ------
    ValueError
        When lengths differ, there is no category, a score is not finite, or a share is not in
        [0, 1].
    """
    known = np.zeros(len(names)) if shares is None else shares
    lengths, parts = (np.asarray(values, dtype=np.float64) for values in (scores, known))
    if not lengths.shape == parts.shape == (len(names),) or not len(names):
        raise ValueError(f"{len(names)} names, scores {lengths.shape}, shares {parts.shape}")
    if not np.isfinite(lengths).all() or not ((parts >= 0) & (parts <= 1)).all():
        raise ValueError("scores must be finite and shares lie in [0, 1]")
    share = "" if shares is None else ", %{customdata:.2f}%"
    rows = list(range(len(names)))
    figure = go.Figure(
        go.Bar(
            x=lengths,
            y=rows,
            width=0.3,
            orientation="h",
            marker={
                "color": NETWORK_COLOUR,
                "opacity": [1.0, *[_PALE] * (len(names) - 1)],
                "line": {"width": 0},
                "cornerradius": 3,
            },
            text=list(names),
            textposition="none",
            customdata=100 * parts,
            hovertemplate=f"%{{text}}: score %{{x:.4f}}{share}<extra></extra>",
        )
    )
    words = []
    for row in rows:
        place = {"xref": "paper", "y": row - 0.42, "yanchor": "middle"}
        name = f"<b>{names[row]}</b>" if row == 0 else names[row]
        number = format_number(lengths[row])
        if shares is not None:
            number += f" · {_format_share(parts[row])}"
        words.append({"text": name, "x": 0, "xanchor": "left", **place})
        words.append({"text": number, "x": 1, "xanchor": "right", **place})
    add_words(figure, words)
    style_figure(figure, "", 8 + _ROW_HEIGHT * len(names), text_colour)
    figure.update_layout(margin={"l": 0, "r": 0, "t": 4, "b": 4}, hovermode="closest")
    low, high = min(0.0, lengths.min()), max(0.0, lengths.max())
    figure.update_xaxes(range=[low, high if high > low else 1.0], visible=False)
    figure.update_yaxes(range=[len(names) - 0.75, -0.8], visible=False)
    return figure


def _format_share(share: float) -> str:
    if share < 0.01:
        return "< 1%"
    return "> 99%" if 0.995 <= share < 1 else f"{share:.0%}"
