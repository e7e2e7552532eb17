"""Photos with two explanations beside each other."""

from collections.abc import Sequence

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer.analysis.pairing import Pair
from explorer.config import PAGES_DIR
from explorer.data.photo import Photo
from explorer.nn.explanation import Explanation
from explorer.ui.compare.choosing import GRADIENT, LEFT, PAGE, Side, load_sides_of_split
from explorer.ui.shared import (
    cached,
    choices,
    components,
    drawings,
    links,
    picker,
    pictures,
    scores,
    state,
)
from explorer.ui.shared.drawings import Overlays
from explorer.ui.shared.gallery import name_photo
from explorer.ui.shared.heatmaps import name_feature
from explorer.ui.shared.names import name_categories
from explorer.ui.shared.state import MapStyle
from explorer.ui.shared.words import HELP
from explorer.workspace.workspace import Workspace

PHOTOS_A_PAGE = 4
_SIDES = {"test": "test photo", "train": "training photo", "unused": "unused photo"}


def choose_photos(
    workspace: Workspace, left: Side, right: Side
) -> "tuple[str, list[Photo], list[Photo]]":
    """Show the choice of photos; return their category, all of them, and those of this page."""
    names = name_categories(workspace.dataset.categories)
    others = [name for name in names if name != left.category]
    state.check_param(state.PHOTOS_OF, names.values(), "category of photos")
    with st.container(horizontal=True, key="compare-photos", vertical_alignment="bottom"):
        category = st.selectbox(
            "Photos of",
            [left.category, *others],
            format_func=lambda name: names.get(name, name),
            key=state.PHOTOS_OF,
            bind=state.BIND,
            help=HELP["photos_of"],
            width=280,
            on_change=_show_first_page,
        )
        leading = left if left.entry is not None or right.entry is None else right
        split = load_sides_of_split(workspace, leading)
        photos = picker.sort_photos(workspace.dataset.photos_of(category), split)
        shown = choices.choose_page(PAGE, len(photos), PHOTOS_A_PAGE, "page of photos")
    return category, photos, photos[shown.start : shown.stop]


def _show_first_page() -> None:
    st.session_state[PAGE] = 1


def show_row(
    workspace: Workspace,
    photo: Photo,
    sides: tuple[Side, Side],
    pairs: Sequence[Pair],
    style: MapStyle,
) -> None:
    """Show one photo with the maps of both sides, paired x-features at the same place."""
    with st.container(key=f"compare-row-{photo.image_id}"):
        columns = st.columns([3, 5, 5], gap="medium")
        with columns[0]:
            shown = st.container(gap="xsmall")
        with shown:
            st.image(
                cached.load_boxed_photo(photo, pictures.MIDDLE_SIDE),
                width="stretch",
                alt=f"{name_photo(workspace, photo)} with a box around the bird",
            )
        explanations = {
            side.place: cached.explain(workspace, side.entry, photo, style.layer)
            for side in sides
            if side.entry is not None
        }
        logits = _get_logits(workspace, photo, list(explanations.values()))
        for column, side in zip(columns[1:], sides, strict=True):
            with column:
                _show_heading(side)
                overlays = draw_side(workspace, side, photo, style)
                if side.place in explanations:
                    place = f"{side.place}-{photo.image_id}"
                    _show_maps(explanations[side.place], overlays, side, pairs, place)
                else:
                    index = workspace.dataset.categories.index(side.category)
                    _show_whole(overlays, side, photo, float(logits[index]))
        with shown:
            _show_facts(workspace, photo, *sides)
            components.show_verdict(logits, workspace.dataset.categories, photo.category)


def _get_logits(
    workspace: Workspace, photo: Photo, explanations: "Sequence[Explanation]"
) -> NDArray[np.float32]:
    if explanations:
        return explanations[0].logits
    features = scores.load_features(workspace)
    return np.array(features.logits[features.get_rows([photo.image_id])[0]])


def _show_facts(workspace: Workspace, photo: Photo, left: Side, right: Side) -> None:
    """Lead to the photo's own page, and say who has learnt from it."""
    name = name_photo(workspace, photo)
    entry = left.entry or right.entry
    if entry is None:
        st.caption(name)
    else:
        st.page_link(
            PAGES_DIR / "photo.py",
            label=components.escape_markdown(name),
            icon=":material/photo:",
            query_params=links.make_photo_params(workspace, entry, photo),
        )
    names = [
        _SIDES[load_sides_of_split(workspace, side).name_side(photo.image_id)]
        for side in (left, right)
    ]
    one, other = names
    st.caption(one.capitalize() if one == other else f"Left: {one}. Right: {other}.")


def _show_heading(side: Side) -> None:
    st.markdown(
        f"**{side.place.capitalize()}:** {components.escape_markdown(side.category_name)}, "
        f"{components.escape_markdown(side.title)}"
    )


def _show_whole(overlays: Overlays, side: Side, photo: Photo, score: float) -> None:
    """Show the one map of a score as a whole."""
    with st.container(key=f"compare-whole-{side.place}-{photo.image_id}"):
        st.image(
            overlays.images[0],
            width="stretch",
            alt=f"{side.title} of the score of {side.category_name} over the photo",
        )
    st.caption(f"Network ŷ = {score:.2f}", help=HELP["y_hat"])


def _show_maps(
    explanation: Explanation, overlays: Overlays, side: Side, pairs: Sequence[Pair], place: str
) -> None:
    """Show the maps of a module's x-features, in the order of the pairs."""
    with st.container(key=f"compare-maps-{place}"):
        for slot, pair in enumerate(pairs):
            feature = pair.left if side.place == LEFT else pair.right
            is_inactive = feature is not None and explanation.x_features[feature] == 0
            looks = "inactive" if is_inactive else "active"
            with st.container(key=f"compare-map-{looks}-{place}-{slot}", gap=None):
                if feature is None:
                    st.caption(f"{name_pair(pairs, slot)}: no partner")
                    continue
                _show_map(explanation, overlays, feature, name_pair(pairs, slot))
    components.show_scores(explanation.y_hat, explanation.y_bar)


def _show_map(explanation: Explanation, overlays: Overlays, feature: int, pair_name: str) -> None:
    contribution = float(explanation.contributions[feature])
    activation = float(explanation.x_features[feature])
    shown = components.format_signed(contribution)
    st.image(
        overlays.images[feature],
        width="stretch",
        alt=f"Heatmap of {name_feature(feature)} over the photo, contribution {shown}",
    )
    colour = "gray" if activation == 0 else "blue" if contribution >= 0 else "orange"
    value = "inactive" if activation == 0 else f"**{shown}**"
    prefix = f"**{pair_name}** " if pair_name else ""
    st.markdown(f"{prefix}{name_feature(feature)}  \n:{colour}[{value}]")


def name_pair(pairs: Sequence[Pair], slot: int) -> str:
    """Name a pair by a letter; nothing where the other side has no x-features at all."""
    if all(pair.left is None for pair in pairs) or all(pair.right is None for pair in pairs):
        return ""
    return chr(ord("A") + slot) if slot < 26 else str(slot + 1)


def draw_side(workspace: Workspace, side: Side, photo: Photo, style: MapStyle) -> Overlays:
    """Draw all maps of a side over a photo."""
    if side.entry is not None:
        return drawings.draw_tiles(workspace, side.entry, photo, style)
    if side.method != GRADIENT:
        return drawings.draw_score_tile(workspace, side.category, photo, style)
    heat = cached.explain_by_gradient(workspace, side.category, photo)
    image = cached.load_parts(photo).image
    return drawings.draw_maps(image, heat[np.newaxis], style, pictures.TILE_SIDE)


def load_maps(workspace: Workspace, side: Side, photo: Photo, layer: str) -> NDArray[np.float32]:
    """Compute the maps of a side on a photo: (K, h, w), one for a score as a whole, >= 0."""
    if side.entry is not None:
        return cached.explain(workspace, side.entry, photo, layer).maps
    if side.method == GRADIENT:
        return cached.explain_by_gradient(workspace, side.category, photo)[np.newaxis]
    return cached.explain_score(workspace, side.category, photo, layer)[np.newaxis]


def show_drawing_note(left: Side, right: Side, style: MapStyle) -> None:
    """Say what the maps are and how they are drawn."""
    scale = "one scale for all maps of a module" if style.shared_scale else "own scale for each map"
    drawing = "smoothed for the eye alone" if style.smooth else "drawn as the raw grid"
    note = f"Maps of x-features and ExcitationBP are c-MWP at {style.layer}; {scale}; {drawing}."
    if GRADIENT in (left.method, right.method):
        note += " Grad-CAM always has the coarse grid of the last convolution."
    st.caption(note, help=HELP["c-MWP"])


def get_page() -> int:
    """Return the page of photos that is shown, from 1."""
    return int(st.session_state.get(PAGE, 1))
