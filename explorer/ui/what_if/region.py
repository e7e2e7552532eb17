"""Choosing the region of a photo that is painted out: a part, the heat of an x-feature, or freely.

Every region but a free one can be chosen by keyboard.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer.analysis.curves import select_hottest
from explorer.data.paint_out import draw_region
from explorer.nn.explanation import Explanation
from explorer.render.before_after import render_selectable_photo
from explorer.ui.shared import pictures
from explorer.ui.shared.shown_photo import ShownPhoto
from explorer.ui.shared.subject import name_in_text

PREFIX = "what-if-"
PART, HEAT, FREE = "a part of the bird", "where an x-feature looks", "what you draw"

_HOTTEST_SHARE = 0.1  # of the photo


def choose_region(
    photo: ShownPhoto,
    explanation: Explanation,
    part_names: Sequence[str],
    names: Mapping[int, str],
    feature: int,
) -> NDArray[np.bool_]:
    """Let the user choose a region of a photo (H, W, 3), and return it, (H, W).

    Parameters
    ----------
    photo : ShownPhoto
        The photo.
    explanation : Explanation
        Of the photo.
    part_names : sequence of str
        P names.
    names : Mapping of int to str
        Names of x-features, counted from 0.
    feature : int
        The x-feature whose heat is offered first.
    """
    image, parts = photo.image, photo.parts
    seen = [] if parts is None else np.flatnonzero(parts.visible).tolist()
    ways = [HEAT, PART, FREE] if seen else [HEAT, FREE]
    way = st.segmented_control(
        "Paint out", ways, default=HEAT, required=True, key=f"{PREFIX}region", wrap=True
    )
    if way == FREE:
        return _draw_freely(image)
    if way == PART and seen and parts is not None:
        part = st.selectbox(
            "Part",
            seen,
            format_func=lambda index: part_names[index],
            key=f"{PREFIX}part",
            help="All of the bird's box that is nearer to this part than to others, and so some of "
            "the background too.",
        )
        chosen_part: NDArray[np.bool_] = parts.label() == (seen[0] if part is None else part)
        return chosen_part
    features = list(range(len(explanation.x_features)))
    chosen = st.selectbox(
        "X-feature",
        features,
        index=feature,
        format_func=lambda n: name_in_text(n, names),
        key=f"{PREFIX}feature-{feature}",  # a key of its own, so that it follows the page's choice
        help="The tenth of the photo where its heat is greatest.",
    )
    size = (image.shape[0], image.shape[1])
    heat = explanation.maps[feature if chosen is None else chosen]
    return select_hottest(heat, size, _HOTTEST_SHARE) if heat.any() else np.zeros(size, bool)


def _draw_freely(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    st.caption("Draw a rectangle on the photo, or choose the lasso at its top right.")
    size = (image.shape[0], image.shape[1])
    shown = pictures.fit_for_display(image, pictures.MIDDLE_SIDE)
    figure = render_selectable_photo(
        pictures.encode_jpeg(shown),
        size,
        height=pictures.compute_column_height(size, pictures.LARGE_COLUMN),
    )
    drawn = st.plotly_chart(
        figure,
        width="stretch",
        config={
            "displayModeBar": True,
            "modeBarButtons": [["select2d", "lasso2d"]],
            "displaylogo": False,
        },
        alt="The photo, to draw on",
        key=f"{PREFIX}drawing",
        on_select="rerun",
        selection_mode=("box", "lasso"),
    )
    return draw_region(size, read_outlines(drawn["selection"]))


def read_outlines(selection: Mapping[str, Any]) -> list[NDArray[np.float64]]:
    """Read the rectangles and outlines of a selection as corners (V, 2), (x, y)."""
    outlines = []
    for box in selection.get("box", ()):
        (left, right), (top, bottom) = box["x"], box["y"]
        outlines.append([(left, top), (right, top), (right, bottom), (left, bottom)])
    for lasso in selection.get("lasso", ()):
        outlines.append(list(zip(lasso["x"], lasso["y"], strict=True)))
    return [np.asarray(outline, np.float64) for outline in outlines]
