"""One photo explained: what the network says, and why, in x-features."""

import streamlit as st

from explorer.data.photo import Photo
from explorer.nn.explanation import Explanation
from explorer.ui.shared import (
    cached,
    components,
    downloads,
    drawings,
    empty,
    heatmaps,
    links,
    picker,
    state,
)
from explorer.ui.shared.state import MapStyle, Selection
from explorer.ui.shared.words import HELP
from explorer.ui.sidebar import sidebar
from explorer.workspace.workspace import Workspace


def show_page() -> None:
    """Show the photo at once, then what a network has to compute."""
    opened = empty.open_selection_or_say_why()
    if opened is None:
        return
    workspace, selection = opened
    entry, category = selection.entry, components.escape_markdown(selection.category_name)

    st.title(f"Why “{category}”?", anchor=False)
    categories = workspace.dataset.categories
    split = cached.load_split(workspace, entry)
    photo = picker.show_photo_picker(workspace, entry, split)
    left, right = st.columns([5, 6], gap="large")
    with left:
        components.show_photo(workspace, photo, split.name_side(photo.image_id))
        verdict = st.container()
    with right:
        with st.spinner("Loading the network …"):
            layers = list(workspace.networks.backbone.stops)
        style = sidebar.show_map_controls(layers)
        with st.spinner("Tracing the x-features back to the photo's pixels …"):
            explanation = cached.explain(workspace, entry, photo, style.layer)
        st.markdown(f"##### What adds up to the score of {category}", help=HELP["contribution"])
        off = heatmaps.choose_off(explanation)
        heatmaps.show_contributions(explanation, off)
        components.show_scores(explanation.y_hat, explanation.y_bar)
        components.show_top_scores(explanation.logits, categories, photo.category, entry.category)
        links.show_other_categories(workspace, entry, photo, explanation.logits)

    with verdict:
        components.show_verdict(explanation.logits, categories, photo.category)
    show_x_features(workspace, selection, photo, explanation, style, off=off)


def show_x_features(
    workspace: Workspace,
    selection: Selection,
    photo: Photo,
    explanation: Explanation,
    style: MapStyle,
    *,
    off: frozenset[int],
) -> None:
    """Show every x-feature on the photo, one of them closely, and how good the module is."""
    entry = selection.entry
    metrics = cached.load_measures(workspace, entry)
    part_names = workspace.dataset.part_names
    st.header("What each x-feature looks at", anchor=False)
    feature = heatmaps.choose_feature(
        len(explanation.x_features), metrics, "x-feature to look at closely"
    )
    overlays = drawings.draw_tiles(workspace, entry, photo, style)
    score = drawings.draw_score_tile(workspace, entry.category, photo, style)
    heatmaps.show_tiles(explanation, overlays, feature, style, score=score, off=off)
    heatmaps.show_drawing_note(explanation, style)

    st.header(f"{heatmaps.name_feature(feature)} up close", anchor=False)
    look = heatmaps.choose_look()
    parts = cached.load_parts(photo)
    large = drawings.draw_large(workspace, entry, photo, style, feature)
    top = overlays.tops[feature]
    left, right = st.columns(2, gap="large")
    with left:
        if look == state.PIXELS:
            heatmaps.show_pixels(
                explanation, large, top, feature, style, parts=parts, part_names=part_names
            )
        else:
            heatmaps.show_large(explanation, large, top, feature, style)
    with right:
        heatmaps.show_partition(parts, part_names)
    left, right = st.columns(2, gap="large")
    with left, st.spinner("Counting heat part by part …"):
        measure = cached.measure_parts(workspace, entry, photo, style.layer)
        heatmaps.show_photo_histogram(measure, feature, part_names)
    with right:
        if metrics is None:
            empty.show_no_metrics(workspace)
        else:
            heatmaps.show_module_histogram(metrics, feature, part_names)

    st.header("How far to trust this module", anchor=False)
    if metrics is None:
        empty.show_no_metrics(workspace)
    else:
        components.show_module_measures(metrics, len(part_names))

    st.header("Take it along", anchor=False)
    downloads.show_downloads(workspace, entry, photo, style, feature)
    links.show_link(
        {
            **links.make_photo_params(workspace, entry, photo),
            state.FEATURE: heatmaps.name_feature(feature),
            state.OFF: [heatmaps.name_feature(n) for n in sorted(off)],
            state.LOOK: look,
            **links.make_style_params(style),
        }
    )


with components.error_boundary("Choose another photo, category or module, or mend it and reload."):
    show_page()
