"""The maps of a photo on a page: a tile for every x-feature, and one of them up close."""

from collections.abc import Mapping

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer.nn.explanation import Explanation
from explorer.render.colour_maps import render_colour_bar
from explorer.render.pixels import render_pixels
from explorer.ui.shared import cached, drawings, state
from explorer.ui.shared.choices import choose_one
from explorer.ui.shared.drawings import Overlays
from explorer.ui.shared.figures import align_with_photo, show_figure
from explorer.ui.shared.markdown import format_contribution, format_signed
from explorer.ui.shared.pictures import compute_column_height
from explorer.ui.shared.shown_photo import ShownPhoto
from explorer.ui.shared.state import MapStyle
from explorer.ui.shared.subject import name_in_markdown, name_in_text
from explorer.ui.shared.words import HELP
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace

_NO_PARTS = ("no parts placed yet",)


def show_tiles(
    explanation: Explanation,
    overlays: Overlays,
    chosen: int,
    style: MapStyle,
    *,
    names: Mapping[int, str],
    score: Overlays | None = None,
    off: frozenset[int] = frozenset(),
) -> None:
    """Show the maps of all x-features side by side, each with its contribution.

    Parameters
    ----------
    explanation : Explanation
        The module's explanation of the photo.
    overlays : Overlays
        Pictures of its maps.
    chosen : int
        The x-feature shown up close, counted from 0.
    style : MapStyle
        How they were drawn.
    names : Mapping of int to str
        Names of x-features; see `cached.load_names`.
    score : Overlays, optional
        One picture of the map of ŷ itself (ExcitationBP), shown next to them.
    off : frozenset of int
        X-features that are switched off.
    """
    with st.container(horizontal=True, key="tiles"):
        for feature, picture in enumerate(overlays.images):
            activation = float(explanation.x_features[feature])
            looks = "selected" if feature == chosen else "other"
            looks += "-inactive" if activation == 0 or feature in off else ""
            contribution = float(explanation.contributions[feature])
            words = format_contribution(contribution, activation)
            words = ":gray[switched off]" if feature in off else words
            heat = overlays.describe_heat(feature)
            words, alt = f"{words}{heat}", f"{_describe_map(feature, explanation, names)}{heat}"
            title = name_in_markdown(feature, names)
            _show_tile(f"tile-{looks}-{feature}", picture, alt, title, words)
        if score is not None:
            heat = score.describe_heat(0)
            words = f"the whole of ŷ = **{explanation.y_hat:.2f}**{heat}"
            alt = f"Heatmap of the network's own score over the photo, by ExcitationBP{heat}"
            _show_tile("tile-other-score", score.images[0], alt, "ExcitationBP", words)
    if style.shared_scale:
        show_colour_bar(style.colours, f"{max(overlays.tops):.2g}", "colour-bar-tiles")
        if score is not None:
            st.caption("ExcitationBP is drawn on a scale of its own.")


def _show_tile(key: str, picture: bytes, alt: str, name: str, words: str) -> None:
    with st.container(key=key):
        st.image(picture, width="stretch", alt=alt)
        st.markdown(f"{name}<br>{words}", unsafe_allow_html=True)


def _describe_map(feature: int, explanation: Explanation, names: Mapping[int, str]) -> str:
    contribution = format_signed(float(explanation.contributions[feature]))
    return f"Heatmap of {name_in_text(feature, names)} over the photo, contribution {contribution}"


def show_drawing_note(explanation: Explanation, style: MapStyle) -> None:
    """Say what the maps are and how they are drawn."""
    rows, columns = explanation.maps.shape[1:]
    layer = f"{explanation.stop}, a grid of {columns} × {rows}"
    scale = "one scale for all maps" if style.shared_scale else "each map on its own scale"
    drawing = (
        "smoothed for the eye alone" if style.smooth else "drawn as the raw grid, not smoothed"
    )
    st.caption(f"c-MWP at {layer}; {scale}; {drawing}.", help=HELP["c-MWP"])


def show_scale(top: float, style: MapStyle, key: str = "colour-bar") -> None:
    """Show the colour bar of a map whose hottest value is `top`, or that the map is all zero."""
    if top == 0:
        st.caption("This map is zero everywhere: there is nothing to draw.")
    else:
        show_colour_bar(style.colours, f"{top:.2g}", key)


def show_colour_bar(colours: str, top: str, key: str) -> None:
    """Show the colours from cold to hot with the values at both ends; `top` is the hottest."""
    with st.container(key=key, gap="xxsmall"):
        st.image(
            render_colour_bar(colours, (12, 512)),
            width="stretch",
            alt=f"Colour bar of {colours}, from 0 at the left to {top} at the right",
        )
        with st.container(horizontal=True, horizontal_alignment="distribute"):
            st.caption("0, cold", width="content")
            st.caption(f"{top}, hottest", width="content")


def choose_look() -> str:
    """Let the user look at a map as a picture or pixel by pixel, and return the choice."""
    looks = (state.PICTURE, state.PIXELS)
    return choose_one(state.LOOK, looks, "Look at it as", "look", HELP["pixels"])


def show_up_close(
    workspace: Workspace,
    entry: ModuleEntry,
    photo: ShownPhoto,
    style: MapStyle,
    feature: int,
    *,
    look: str,
) -> None:
    """Show one map large with its colour bar.

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
    """
    explanation = photo.explain(workspace, entry, style.layer)
    picture = drawings.draw_large(workspace, entry, photo, style, feature)
    alt = _describe_map(feature, explanation, cached.load_names(workspace, entry))
    if look == state.PIXELS:
        part_names = workspace.dataset.part_names
        _show_pixels(photo, picture, explanation.maps[feature], part_names, alt)
    else:
        st.image(picture, width="stretch", alt=f"{alt}, large")
    show_scale(drawings.find_top(workspace, entry, photo, style, feature), style)


def _show_pixels(
    photo: ShownPhoto,
    picture: bytes,
    heat: NDArray[np.float32],
    part_names: tuple[str, ...],
    alt: str,
) -> None:
    grid, parts = (heat.shape[0], heat.shape[1]), photo.parts
    if parts is None:
        labels, part_names = np.zeros(grid, np.int16), _NO_PARTS
    else:
        labels = parts.label(grid)
    size = (photo.image.shape[0], photo.image.shape[1])
    figure = render_pixels(
        picture,
        heat,
        labels,
        part_names,
        size,
        height=compute_column_height(size),
        text_colour=state.get_text_colour(),
    )
    align_with_photo(figure)
    show_figure(figure, f"{alt}, with the numbers of every cell", key="figure-pixels")
