"""One photo of the data set: what the network says of it, and why, in x-features."""

import streamlit as st

from explorer.ui.photo import boxed, picker
from explorer.ui.shared import (
    cached,
    downloads,
    drawings,
    heatmaps,
    links,
    part_figures,
    state,
    verdicts,
    x_features,
)
from explorer.ui.shared.empty import show_no_metrics, show_no_photos, show_own_photo_link
from explorer.ui.shared.errors import error_boundary
from explorer.ui.shared.map_controls import show_map_controls
from explorer.ui.shared.markdown import escape_markdown
from explorer.ui.shared.measures import show_module_measures
from explorer.ui.shared.names import name_feature
from explorer.ui.shared.opening import open_selection_or_say_why
from explorer.ui.shared.shown_photo import DatasetPhoto
from explorer.ui.shared.state import MapStyle
from explorer.ui.shared.subject import name_in_markdown
from explorer.ui.shared.words import HELP
from explorer.ui.what_if import change
from explorer.ui.why_not import side_by_side
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace


def show_page() -> None:
    """Show the photo at once, then what a network has to compute."""
    opened = open_selection_or_say_why()
    if opened is None:
        return
    workspace, selection = opened
    entry, category = selection.entry, escape_markdown(selection.category_name)

    st.title(f"Why “{category}”?", anchor=False)
    if not workspace.dataset.has_photos:
        show_without_photos(workspace, entry)
        return
    categories = workspace.dataset.categories
    split = cached.load_split(workspace, entry)
    photo = picker.show_photo_picker(workspace, entry, split)
    shown = DatasetPhoto(photo)
    left, right = st.columns([5, 6], gap="large")
    with left:
        boxed.show_photo(workspace, photo, split.name_side(photo.image_id))
        verdict = st.container()
    with right:
        with st.spinner("Loading the network …"):
            layers = list(workspace.networks.backbone.stops)
        style = show_map_controls(layers)
        with st.spinner("Tracing the x-features back to the photo's pixels …"):
            explanation = shown.explain(workspace, entry, style.layer)
        st.markdown(f"**What adds up to the score of {category}**", help=HELP["contribution"])
        off = x_features.choose_off(explanation)
        names = cached.load_names(workspace, entry)
        x_features.show_sentence(explanation, names)
        x_features.show_contributions(explanation, names, off)
        verdicts.show_scores(explanation.y_hat, explanation.y_bar)
        verdicts.show_top_scores(explanation.logits, categories, photo.category, entry.category)
        links.show_other_categories(workspace, entry, photo, explanation.logits)

    with verdict:
        verdicts.show_verdict(explanation.logits, categories, photo.category)
    feature = show_x_features(workspace, entry, shown, style, off)
    look = show_up_close(workspace, entry, shown, style, feature)
    side_by_side.show_why_not(workspace, entry, shown, style, photo.category)
    change.show_what_if(workspace, entry, shown, style, feature)
    show_trust(workspace, entry)

    st.header("Take it along", anchor=False)
    downloads.show_downloads(workspace, entry, shown, style, feature)
    links.show_link(
        {
            **links.make_photo_params(workspace, entry, photo),
            state.FEATURE: name_feature(feature),
            state.OFF: [name_feature(n) for n in sorted(off)],
            state.LOOK: look,
            **links.make_style_params(style),
        }
    )


def show_without_photos(workspace: Workspace, entry: ModuleEntry) -> None:
    """Show how to get photos, a page that needs none, and what is known of the module."""
    show_no_photos(workspace)
    show_own_photo_link()
    show_trust(workspace, entry)


def show_x_features(
    workspace: Workspace,
    entry: ModuleEntry,
    photo: DatasetPhoto,
    style: MapStyle,
    off: frozenset[int],
) -> int:
    """Show the maps of all x-features, and return the one chosen for a close look."""
    explanation = photo.explain(workspace, entry, style.layer)
    st.header("What each x-feature looks at", anchor=False)
    feature = x_features.choose_feature(
        len(explanation.x_features),
        cached.load_measures(workspace, entry),
        "x-feature to look at closely",
    )
    overlays = drawings.draw_tiles(workspace, entry, photo, style)
    score = drawings.draw_score(workspace, entry.category, photo, style)
    names = cached.load_names(workspace, entry)
    heatmaps.show_tiles(explanation, overlays, feature, style, names=names, score=score, off=off)
    heatmaps.show_drawing_note(explanation, style)
    return feature


def show_up_close(
    workspace: Workspace, entry: ModuleEntry, photo: DatasetPhoto, style: MapStyle, feature: int
) -> str:
    """Show one x-feature closely, in pixels and part by part; return how its map is shown."""
    part_names = workspace.dataset.part_names
    title = name_in_markdown(feature, cached.load_names(workspace, entry))
    st.header(f"{title} up close", anchor=False)
    look = heatmaps.choose_look()
    left, right = st.columns(2, gap="large")
    with left:
        heatmaps.show_up_close(workspace, entry, photo, style, feature, look=look)
    with right:
        part_figures.show_partition(photo.parts, part_names)
    left, right = st.columns(2, gap="large")
    with left, st.spinner("Counting heat part by part …"):
        measure = photo.parts.measure(photo.explain(workspace, entry, style.layer).maps)
        part_figures.show_photo_histogram(measure, feature, part_names)
    with right:
        part_figures.show_test_photos_histogram(workspace, entry, feature)
    return look


def show_trust(workspace: Workspace, entry: ModuleEntry) -> None:
    """Show how faithful and how local the module is."""
    st.header("How far to trust this module", anchor=False)
    measures = cached.load_measures(workspace, entry)
    if measures is None:
        show_no_metrics(workspace)
    else:
        show_module_measures(measures, len(workspace.dataset.part_names))


with error_boundary("Choose another photo, category or module, or mend it and reload."):
    show_page()
