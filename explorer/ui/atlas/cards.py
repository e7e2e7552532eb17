"""X-features as cards: name and figures first, then pictures as they are drawn."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from explorer.explaining.atlas import AtlasFeature
from explorer.explaining.atlas_search import Found, is_on_background
from explorer.explaining.naming import name_feature
from explorer.ui.atlas.pictures import draw_strongest
from explorer.ui.shared import links, state
from explorer.ui.shared.birds import is_drawn, render_small_bird
from explorer.ui.shared.errors import error_boundary
from explorer.ui.shared.markdown import escape_markdown, format_contribution
from explorer.ui.shared.names import name_photo
from explorer.ui.shared.progress import track
from explorer.ui.shared.subject import escape_words
from explorer.workspace.layout import get_module_entry
from explorer.workspace.workspace import Workspace

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator


def show_cards(workspace: Workspace, found: Sequence[Found]) -> "list[DeltaGenerator]":
    """Show x-features as cards, each a link to its page; return the places for their pictures."""
    with st.container(key="gallery-atlas"):
        return [_show_card(workspace, one, number) for number, one in enumerate(found)]


def draw_pictures(
    workspace: Workspace, found: Sequence[Found], places: "Sequence[DeltaGenerator]"
) -> None:
    """Draw the pictures of cards, one after the other."""
    for number in track(range(len(found)), "Drawing x-feature"):
        # If a photo cannot be read, the other cards are still drawn.
        with places[number], error_boundary():
            _show_picture(workspace, found[number])


def _show_card(workspace: Workspace, found: Found, number: int) -> "DeltaGenerator":
    """Show a card without its picture, and return the place for it."""
    module, feature = found
    entry = get_module_entry(workspace.path, module.category, module.run)
    with st.container(key=f"gallery-tile-atlas-{number}", gap="xxsmall"):
        kind = "photos" if workspace.dataset.has_photos else "bird"
        with st.container(key=f"atlas-{kind}-{number}"):
            place = st.empty()
        links.show_feature_link(
            workspace,
            entry,
            feature.x_feature - 1,
            f"{_name(feature)}, {escape_markdown(module.category_name)}",
        )
        st.markdown(describe_feature(feature))
    return place


def _name(feature: AtlasFeature) -> str:
    return escape_words(feature.name or name_feature(feature.x_feature - 1))


def describe_feature(feature: AtlasFeature) -> str:
    """Format number and figures of an x-feature as lines of Markdown."""
    lines = [f":gray[{name_feature(feature.x_feature - 1)}]" if feature.name else ""]
    if feature.mean_contribution is None:
        lines.append(":gray[not measured yet]")
    elif not feature.live:
        lines.append(":gray[dead: it adds nothing to any photo]")
    else:
        auc = "–" if feature.auc is None else f"{feature.auc:.0%}"
        lines.append(f"adds {format_contribution(feature.mean_contribution, 1)}, AUC {auc}")
        lines.append(_describe_place(feature))
    return "  \n".join(filter(None, lines))


def _describe_place(feature: AtlasFeature) -> str:
    if is_on_background(feature):
        return f"{feature.outside:.0%} of its heat beside the bird"
    if feature.locality is None or not feature.part_shares:
        return "locality –"
    return f"locality {feature.locality:.2f} of {math.log(len(feature.part_shares)):.2f}"


def _show_picture(workspace: Workspace, found: Found) -> None:
    module, feature = found
    name = f"{name_feature(feature.x_feature - 1)} of {module.category_name}"
    dataset = workspace.dataset
    if dataset.has_photos and feature.strongest:
        photos = tuple(map(dataset.get_photo, feature.strongest))
        entry = get_module_entry(workspace.path, module.category, module.run)
        shown = ", ".join(name_photo(workspace, photo).lower() for photo in photos)
        st.image(
            draw_strongest(workspace, entry, feature.x_feature - 1, photos),
            width="stretch",
            alt=f"Close-ups of where {name} looks on {shown}",
        )
    elif feature.part_shares is not None and is_drawn(dataset.part_names):
        shares = None if is_on_background(feature) else feature.part_shares
        part = max(shares, key=lambda part: shares[part]) if shares else ""
        most = f"on the {part}" if part else "beside the bird"
        st.image(
            render_small_bird(shares, state.get_text_colour()),
            width="stretch",
            alt=f"A drawn bird, coloured by the heat of {name}; most of it {most}",
        )
