"""The controls that choose how heatmaps are drawn, in one popover above the maps."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import streamlit as st

from explorer.render.colour_maps import COLOUR_MAPS
from explorer.render.heatmap import DEFAULT_OPACITY
from explorer.render.views import VIEWS
from explorer.ui.shared import mirrored, state
from explorer.ui.shared.state import MapStyle
from explorer.ui.shared.words import HELP


@dataclass(frozen=True)
class _Control:
    """One choice, and the widget that shows it.

    Attributes
    ----------
    key : str
        Key of the choice, of its widget, and of its help text.
    label : str
        Label of the widget, and what is chosen in messages.
    known : sequence of str
        What can be chosen, as the address words it.
    widget : callable
        Shows the widget.
    usual : str
        The default.
    """

    key: str
    label: str
    known: Sequence[str]
    widget: Callable[..., Any]
    usual: str

    def read(self) -> str:
        """Return what is chosen."""
        words = mirrored.read(self.key, self.known, self.label.lower(), self.usual)
        return words[-1] if words else self.usual

    def show(self) -> None:
        """Show the widget."""
        kind = int if self.widget is _show_slider else str
        st.session_state[self.key] = kind(self.read())
        self.widget(self.label, key=self.key, help=HELP[self.key], on_change=self._follow)

    def _follow(self) -> None:
        chosen = str(st.session_state[self.key])
        mirrored.choose(self.key, [] if chosen == self.usual else [chosen])


def _show_slider(label: str, **options: Any) -> None:
    st.slider(label, 0, 100, step=5, format="%d%%", **options)


def _offer_words(key: str, label: str, words: Sequence[str]) -> _Control:
    """Offer a few words, the first of which is the default."""
    show = partial(st.segmented_control, options=words, required=True, width="stretch")
    return _Control(key, label, words, show, words[0])


def _offer_names(key: str, label: str, names: Sequence[str]) -> _Control:
    """Offer many names, the first of which is the default."""
    return _Control(key, label, names, partial(st.selectbox, options=names), names[0])


_VIEW = _offer_words(state.VIEW, "Show heat as", tuple(VIEWS))
_SCALE = _offer_words(state.SCALE, "Colour scale", state.SCALES)
_CROP = _offer_words(state.CROP, "Show", (state.BIRD, state.WHOLE_PHOTO))
_PER_CENT = tuple(str(number) for number in range(101))
_USUAL_OPACITY = str(round(100 * DEFAULT_OPACITY))
_OPACITY = _Control(state.OPACITY, "Opacity", _PER_CENT, _show_slider, _USUAL_OPACITY)
_COLOURS = _offer_names(state.COLOURS, "Colour map", tuple(COLOUR_MAPS))
_DRAWING = _offer_words(state.DRAWING, "Drawing", state.DRAWINGS)


def _offer_layers(layers: Sequence[str]) -> _Control:
    return _offer_names(state.LAYER, "Map layer", layers)


def show_map_controls(layers: Sequence[str]) -> MapStyle:
    """Show the controls for how heatmaps are drawn, and return the style.

    Parameters
    ----------
    layers : sequence of str
        Stops of the backbone, the default first.
    """
    controls = (_VIEW, _SCALE, _CROP, _OPACITY, _COLOURS, _DRAWING, _offer_layers(layers))
    with st.popover("Display", icon=":material/tune:", key="display"):
        for control in controls:
            control.show()
        st.button(
            "Back to the usual drawing",
            icon=":material/restart_alt:",
            type="tertiary",
            key="draw-as-usual",
            disabled=not mirrored.list_drawing_params(),
            on_click=mirrored.draw_as_usual,
        )
    return read_style(layers)


def read_style(layers: Sequence[str]) -> MapStyle:
    """Return how heatmaps are drawn, without controls; see `show_map_controls`."""
    return MapStyle(
        layer=_offer_layers(layers).read(),
        view=_VIEW.read(),
        colours=_COLOURS.read(),
        opacity=int(_OPACITY.read()),
        scale=_SCALE.read(),
        is_cropped=read_crop(),
        smooth=_DRAWING.read() == state.SMOOTH,
    )


def read_crop() -> bool:
    """Return whether the bird is shown, not the whole photo; known before a network is loaded."""
    return _CROP.read() == state.BIRD
