"""The controls in the sidebar that choose how heatmaps are drawn."""

from collections.abc import Sequence

import streamlit as st

from explorer.render.colour_maps import COLOUR_MAPS, DEFAULT_COLOUR_MAP
from explorer.render.heatmap import DEFAULT_OPACITY
from explorer.ui.shared import state
from explorer.ui.shared.state import MapStyle
from explorer.ui.shared.words import HELP


def show_map_controls(layers: Sequence[str]) -> MapStyle:
    """Show the controls for how heatmaps are drawn, and return the style.

    Parameters
    ----------
    layers : sequence of str
        Stops of the backbone, the default first.
    """
    state.check_param(state.LAYER, layers, "map layer")
    state.check_param(state.COLOURS, COLOUR_MAPS, "colour map")
    state.check_number_param(state.OPACITY, 0, 100, "opacity")
    state.check_param(state.SCALE, (state.OWN_SCALE, state.SHARED_SCALE), "scale")
    state.check_param(state.DRAWING, (state.SMOOTH, state.RAW_GRID), "drawing")
    state.discard_unknown_choice(state.LAYER, layers)
    with st.sidebar:
        st.subheader("Heatmaps", divider="gray")
        opacity = st.slider(
            "Opacity",
            0,
            100,
            round(100 * DEFAULT_OPACITY),
            step=5,
            format="%d %%",
            key=state.OPACITY,
            bind=state.BIND,
            help=HELP["opacity"],
        )
        colours = st.selectbox(
            "Colour map",
            list(COLOUR_MAPS),
            index=list(COLOUR_MAPS).index(DEFAULT_COLOUR_MAP),
            key=state.COLOURS,
            bind=state.BIND,
            help=HELP["colours"],
        )
        scale = st.segmented_control(
            "Colour scale",
            [state.OWN_SCALE, state.SHARED_SCALE],
            default=state.OWN_SCALE,
            required=True,
            key=state.SCALE,
            bind=state.BIND,
            help=HELP["scale"],
            width="stretch",
        )
        drawing = st.segmented_control(
            "Drawing",
            [state.SMOOTH, state.RAW_GRID],
            default=state.SMOOTH,
            required=True,
            key=state.DRAWING,
            bind=state.BIND,
            help=HELP["drawing"],
            width="stretch",
        )
        layer = st.selectbox(
            "Map layer", list(layers), key=state.LAYER, bind=state.BIND, help=HELP["layer"]
        )
    return MapStyle(layer, colours, opacity, scale == state.SHARED_SCALE, drawing == state.SMOOTH)
