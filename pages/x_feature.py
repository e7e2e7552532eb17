"""One x-feature: what it fires on, what it adds to the score, and what it may be called."""

import streamlit as st

from explorer.config import is_public
from explorer.ui.shared import cached, components, empty, links, scores, state
from explorer.ui.shared.heatmaps import choose_feature, name_feature
from explorer.ui.shared.state import MapStyle
from explorer.ui.sidebar import sidebar
from explorer.ui.x_feature import feature_notes, feature_photos, feature_rebuilding, summary
from explorer.ui.x_feature.summary import Subject

_INVITATION = "Look at what it fires on, and find a name for it."


def show_page() -> None:
    """Show what is known of the x-feature, from the heading down to the files to take along."""
    opened = empty.open_selection_or_say_why()
    if opened is None:
        return
    workspace, selection = opened
    entry = selection.entry
    components.load_page_style("x_feature")
    heading = st.container()
    with st.spinner("Loading the network …"):
        layers = list(workspace.networks.backbone.stops)
    module_scores = scores.score_module(workspace, entry)
    style = sidebar.show_map_controls(layers)
    metrics = cached.load_measures_or_none(workspace, entry)
    sides = cached.load_split(workspace, entry).name_sides(module_scores.image_ids)
    feature = choose_feature(module_scores.x_features.shape[1], metrics)
    notes_place = st.container()
    with notes_place:
        notes = feature_notes.load_or_tell(entry)
    names = {} if notes is None else notes.names
    subject = Subject(workspace, entry, module_scores, sides, names, feature)
    with heading:
        st.title(subject.title, anchor=False)
        category = components.escape_markdown(selection.category_name)
        st.markdown(
            f"One of the few concepts that rebuild the network's score of **{category}**. "
            + ("Look at what it fires on." if is_public() else _INVITATION)
        )
    with notes_place:
        if notes is not None:
            feature_notes.show_note(entry, notes, feature)
        feature_notes.show_others(names, feature)
    summary.show_summary(subject)
    show_sections(subject, style)


def show_sections(subject: Subject, style: MapStyle) -> None:
    """Show photos, activations, parts and what is rebuilt; one that fails leaves the others."""
    st.header("What it fires on", anchor=False)
    choice = feature_photos.choose_photos(subject)
    feature_photos.show_photos(subject, choice, style)
    st.header("How well it tells the category", anchor=False)
    with components.error_boundary():
        summary.show_activations(subject)
    st.header("Where on the bird it looks", anchor=False)
    with components.error_boundary():
        summary.show_parts(subject)
    st.header("What it rebuilds of Z", anchor=False)
    st.markdown(
        "The x-features must also rebuild the network's layer Z. These dimensions of Z suffer "
        "most when this x-feature is held still at its mean."
    )
    with components.error_boundary():
        feature_rebuilding.show_rebuilding(subject)
    st.header("Take it along", anchor=False)
    with st.container(horizontal=True):
        summary.show_numbers(subject)
        feature_photos.show_pack(subject, choice, style)
    links.show_link(
        {
            **links.make_module_params(subject.workspace, subject.entry),
            state.FEATURE: name_feature(subject.feature),
            **choice.params,
            **links.make_style_params(style),
        }
    )


with components.error_boundary("Choose another category or module, or mend it and reload."):
    show_page()
