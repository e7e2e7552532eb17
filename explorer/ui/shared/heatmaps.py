"""One map of a photo up close, with its colour bar, and what is said of maps."""

from types import MappingProxyType

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer.data.cub import format_category
from explorer.data.names import join_words
from explorer.nn.explanation import Explanation
from explorer.render.colour_maps import render_colour_bar
from explorer.render.numbers import format_short, format_signed
from explorer.render.pixels import render_pixels
from explorer.render.views import CONTOUR_LEVELS, CONTOURS, SPOTLIGHT
from explorer.render.window import Window
from explorer.ui.shared import cached, drawings, state
from explorer.ui.shared.choices import choose_one
from explorer.ui.shared.figures import draw_unshared, show_figure
from explorer.ui.shared.markdown import escape_markdown
from explorer.ui.shared.pictures import LARGE_COLUMN, LARGE_SIDE, compute_column_height
from explorer.ui.shared.shown_photo import ShownPhoto
from explorer.ui.shared.state import MapStyle
from explorer.ui.shared.subject import name_in_markdown, name_in_text
from explorer.ui.shared.windows import find_window
from explorer.ui.shared.words import HELP
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace

_NO_PARTS = ("no parts placed yet",)


_SCALES = MappingProxyType(
    {
        state.FADED: "each map fades with its share of the score",
        state.OWN_SCALE: "each map on its own scale, whatever it adds to the score",
        state.SHARED_SCALE: "one scale for all maps",
    }
)


def show_drawing_note(explanation: Explanation, style: MapStyle) -> None:
    """Say what the maps are and how they are drawn."""
    rows, columns = explanation.maps.shape[1:]
    layer = f"{explanation.stop}, a grid of {columns} × {rows}"
    drawing = "smoothed for viewing only" if style.smooth else "drawn as the raw grid, not smoothed"
    st.caption(
        f"Heatmaps by c-MWP at {layer}; {_SCALES[style.scale]}; {drawing}.", help=HELP["c-MWP"]
    )


def show_scale(top: float, style: MapStyle, key: str = "colour-bar") -> None:
    """Show the scale of a map whose hottest value is `top`, or that the map is all zero."""
    most = format_short(top)
    if top == 0:
        st.caption("This map is zero everywhere: there is nothing to draw.")
    elif style.view == SPOTLIGHT:
        st.caption(f"Full light: {most}. Dark: 0, no heat.")
    elif style.view == CONTOURS:
        levels = join_words([f"{level:.0%}" for level in CONTOUR_LEVELS])
        st.caption(f"Lines at {levels} of {most}.")
    else:
        show_colour_bar(style.colours, most, key)


def show_colour_bar(colours: str, top: str, key: str) -> None:
    """Show the colours from none to most heat, with the values at both ends; `top` is the most."""
    with st.container(key=key, gap="xxsmall"):
        st.image(
            render_colour_bar(colours, (12, 512)),
            width="stretch",
            alt=f"Colour bar of {colours}, from 0 at the left to {top} at the right",
        )
        with st.container(horizontal=True, horizontal_alignment="distribute"):
            st.caption("0, none", width="content")
            st.caption(f"{top}, most", width="content")


def choose_look() -> str:
    """Let the user look at a map, at its pixels or at the plain photo, and return the choice."""
    looks = (state.HEATMAP, state.PIXELS, state.PLAIN)
    return choose_one(state.LOOK, looks, "Look at", "look", HELP["pixels"])


def show_large(
    workspace: Workspace,
    entry: ModuleEntry,
    photo: ShownPhoto,
    style: MapStyle,
    feature: int,
    *,
    look: str,
    alt: str,
) -> None:
    """Show one map large with its colour bar, or the photo alone.

    Parameters
    ----------
    workspace, entry, photo
        The map's photo and the module that explains it.
    style : MapStyle
        How the map is drawn.
    feature : int
        The x-feature, counted from 0.
    look : str
        From `choose_look`. Pixel by pixel, the pointer shows the part, P(pixel | n) and the value
        of every cell.
    alt : str
        What the photo shows, for screen readers.
    """
    window = find_window(workspace, entry, photo, style)
    with st.container(key="large-map"):
        if look == state.PLAIN:
            picture = drawings.draw_photo(photo, window, LARGE_SIDE, has_box=not style.is_cropped)
            st.image(picture, width="stretch", alt=alt)
            return
        explanation = photo.explain(workspace, entry, style.layer)
        names = cached.load_names(workspace, entry)
        contribution = format_signed(float(explanation.contributions[feature]))
        title = name_in_text(feature, names)
        words = f"Heatmap of {title} over the photo, contribution {contribution}"
        picture = drawings.draw_large(workspace, entry, photo, style, feature)
        if look == state.PIXELS:
            heat, part_names = explanation.maps[feature], workspace.dataset.part_names
            _show_pixels(photo, window, picture, heat, part_names=part_names, alt=words)
        else:
            st.image(picture, width="stretch", alt=f"{words}, large")
        show_scale(drawings.find_top(workspace, entry, photo, style, feature), style)
    st.markdown(f"**{name_in_markdown(feature, names)}**: {contribution}")


def show_score_map(
    workspace: Workspace, category: str, photo: ShownPhoto, style: MapStyle, window: Window
) -> None:
    """Show ExcitationBP of the network's score of a category in a window of a photo."""
    overlays = drawings.draw_score(workspace, category, photo, style, window, side=LARGE_SIDE)
    heat, rest = overlays.describe_heat(0), overlays.describe_rest(0)
    plain = format_category(category)
    with st.container(key="score-map"):
        st.image(
            overlays.images[0],
            width="stretch",
            alt=f"Heatmap of the network's own score of {plain} over the photo, by "
            f"ExcitationBP{heat}",
        )
    show_scale(overlays.tops[0], style, "colour-bar-score")
    st.caption(
        f"Where the whole score of {escape_markdown(plain)} comes from: ExcitationBP, c-MWP of "
        f"the score itself{heat}. {rest and f'{rest}.'}",
        help=HELP["c-MWP"],
    )


def _show_pixels(
    photo: ShownPhoto,
    window: Window,
    picture: bytes,
    heat: NDArray[np.float32],
    *,
    part_names: tuple[str, ...],
    alt: str,
) -> None:
    grid, parts = (heat.shape[0], heat.shape[1]), photo.parts
    if parts is None:
        labels, part_names = np.zeros(grid, np.int16), _NO_PARTS
    else:
        labels = parts.label(grid)
    size = (photo.image.shape[0], photo.image.shape[1])
    extent = left, top, right, bottom = window.find_edges(size)
    # Not shared: with a number in every cell, it is ten times as large as other figures.
    figure = draw_unshared(
        render_pixels,
        picture,
        heat,
        labels,
        part_names,
        size,
        extent=extent,
        height=compute_column_height((bottom - top, right - left), LARGE_COLUMN),
    )
    show_figure(figure, f"{alt}, with the numbers of every cell", key="figure-pixels")
