"""The answer of a module for a photo: a sentence, one map large, and the maps as tiles."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from explorer.explaining.naming import name_feature
from explorer.nn.explanation import Explanation
from explorer.render.window import Window
from explorer.ui.shared import cached, drawings, heatmaps, state, tiles, x_features
from explorer.ui.shared.map_controls import read_crop, show_map_controls
from explorer.ui.shared.places import find_places
from explorer.ui.shared.shown_photo import ShownPhoto
from explorer.ui.shared.state import MapStyle
from explorer.ui.shared.windows import find_known_window, find_window
from explorer.ui.shared.words import HELP
from explorer.ui.shared.x_features import Choice
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator


@dataclass(frozen=True)
class Answer:
    """What a page shows of a photo, and the places where it may say more.

    Attributes
    ----------
    explanation : Explanation
        The module's explanation of the photo.
    names : Mapping of int to str
        Names of x-features; see `cached.load_names`.
    choice : Choice
        Which x-feature is shown large, and which are switched off.
    style : MapStyle
        How maps are drawn.
    look : str
        What is shown large; see `heatmaps.choose_look`.
    below_sentence, below_picture : DeltaGenerator
        Places for more words.
    """

    explanation: Explanation
    names: Mapping[int, str]
    choice: Choice
    style: MapStyle
    look: str
    below_sentence: "DeltaGenerator"
    below_picture: "DeltaGenerator"

    @property
    def params(self) -> dict[str, str | list[str]]:
        """The choices among x-features as parameters of the page's address."""
        return {
            state.FEATURE: name_feature(self.choice.shown),
            state.OFF: [name_feature(feature) for feature in sorted(self.choice.off)],
            state.LOOK: self.look,
        }


def show_answer(
    workspace: Workspace, entry: ModuleEntry, photo: ShownPhoto, alt: str, question: str = ""
) -> Answer:
    """Show the photo at once; then its maps, and in a sentence what its score is made of.

    Parameters
    ----------
    workspace, entry, photo
        The photo, and the module that explains it.
    alt : str
        What the photo shows, for screen readers.
    question : str
        What the sentence answers, in Markdown; empty where the page's title asks it.
    """
    sentence = st.container(key="answer")
    words = sentence.empty()
    left, right = st.columns([5, 8], gap="medium")
    with right:
        head = st.container(horizontal=True, vertical_alignment="center", key="above-tiles")
        grid = st.container(key="tiles")
    with grid:
        first, coarse = st.container(), st.empty()
    is_cropped = read_crop()
    show_photo = partial(_show_photo, first, photo, alt, has_box=not is_cropped)
    if photo.box is not None:
        show_photo(find_known_window(photo, is_cropped=is_cropped))
    with head:
        st.markdown("X-features, the largest contribution first", help=HELP["contribution"])
        with st.spinner("Loading the network …"):
            layers = list(workspace.networks.backbone.stops)
        style = show_map_controls(layers)
    names = cached.load_names(workspace, entry)
    with grid, st.spinner("Tracing the x-features back to the photo's pixels …"):
        if not photo.is_explained(workspace, entry, style.layer):
            _show_coarsely(
                workspace, entry, photo, style, names, place=coarse, words=words, question=question
            )
        explanation = photo.explain(workspace, entry, style.layer)
        overlays = drawings.draw_tiles(workspace, entry, photo, style)
    if photo.box is None:
        show_photo(find_window(workspace, entry, photo, style))
    choice = x_features.read_choice(entry, explanation)
    places = find_places(workspace, entry, photo, style, names)
    with words.container():
        x_features.show_sentence(explanation, names, question, places)
        x_features.show_switched_off(explanation, choice.off)
    coarse.empty()
    with grid:
        tiles.show_tiles(tiles.make_tiles(explanation, overlays, names, places), choice)
    with right:
        st.caption(
            "A click shows an x-feature large. Its switch takes it out of the module's sum; the "
            "network and its score stay as they are.",
            help=HELP["off"],
        )
        heatmaps.show_drawing_note(explanation, style)
    with left:
        look = heatmaps.choose_look()
        heatmaps.show_large(workspace, entry, photo, style, choice.shown, look=look, alt=alt)
    return Answer(explanation, names, choice, style, look, sentence, left)


def _show_coarsely(
    workspace: Workspace,
    entry: ModuleEntry,
    photo: ShownPhoto,
    style: MapStyle,
    names: Mapping[int, str],
    *,
    place: "DeltaGenerator",
    words: "DeltaGenerator",
    question: str,
) -> None:
    """Show coarse maps, and the sentence, which is final, as long as the maps are computed."""
    backbone = workspace.networks.backbone
    layer = None if backbone.is_quick else backbone.coarse_stop
    if layer is None or backbone.get_stop(layer) <= backbone.get_stop(style.layer):
        return
    style = replace(style, layer=layer)
    explanation = photo.explain(workspace, entry, style.layer)
    with words.container():
        x_features.show_sentence(explanation, names, question)
    overlays = drawings.draw_tiles(workspace, entry, photo, style)
    order = x_features.read_choice(entry, explanation).order
    with place.container(key="coarse-tiles"):
        shown = tiles.make_tiles(explanation, overlays, names)
        tiles.show_plain_tiles(shown, order, "coarse-")


def _show_photo(
    place: "DeltaGenerator", photo: ShownPhoto, alt: str, window: Window, *, has_box: bool
) -> None:
    has_box = has_box and photo.box is not None
    with place:
        picture = drawings.draw_photo(photo, window, has_box=has_box)
        tiles.show_photo_tile(picture, alt, has_box=has_box)
