"""One x-feature: what it fires on, what it adds to the score, and its name."""

import streamlit as st

from explorer.config import is_public
from explorer.explaining.naming import merge_names, name_feature
from explorer.ui.shared import cached, empty, links, scores, state
from explorer.ui.shared.errors import REPAIR, error_boundary
from explorer.ui.shared.map_controls import read_style, show_map_controls
from explorer.ui.shared.markdown import escape_markdown
from explorer.ui.shared.notes import load_notes
from explorer.ui.shared.opening import open_selection_or_say_why
from explorer.ui.shared.state import MapStyle
from explorer.ui.shared.styles import load_page_style
from explorer.ui.shared.subject import Subject
from explorer.ui.shared.x_features import choose_feature
from explorer.ui.x_feature import evidence, photos, rebuilding, summary
from explorer.ui.x_feature.notes import show_note, show_others

_INVITATION = "Look at what it fires on, and find a name for it."


def show_page() -> None:
    """Show the x-feature, from its name to the downloads."""
    opened = open_selection_or_say_why()
    if opened is None:
        return
    workspace, selection = opened
    entry = selection.entry
    load_page_style("x_feature")
    heading = st.container()
    with st.spinner("Loading the network …"):
        layers = list(workspace.networks.backbone.stops)
    module_scores = scores.score_module(workspace, entry)
    style = (show_map_controls if workspace.dataset.has_photos else read_style)(layers)
    metrics = cached.load_measures_or_none(workspace, entry)
    sides = cached.load_split(workspace, entry).name_sides(module_scores.image_ids)
    feature = choose_feature(entry, module_scores.x_features.shape[1], metrics)
    notes_place = st.container()
    with notes_place:
        notes = load_notes(entry)
    names = merge_names({} if notes is None else notes.names, metrics)
    subject = Subject(workspace, entry, module_scores, sides, names, feature)
    with heading:
        st.title(subject.title, anchor=False)
        category = escape_markdown(selection.category_name)
        st.markdown(
            f"One of the few concepts that rebuild the network's score of **{category}**. "
            + ("Look at what it fires on." if is_public() else _INVITATION)
        )
    with notes_place:
        evidence.show_evidence(subject, metrics)
        if notes is not None:
            show_note(entry, notes, feature)
        show_others(names, feature)
    summary.show_summary(subject)
    show_sections(subject, style)


def show_sections(subject: Subject, style: MapStyle) -> None:
    """Show photos, activations, parts and Z; a section that fails does not affect the others."""
    st.header("What it fires on", anchor=False)
    empty.show_no_photos(subject.workspace)
    choice = photos.choose_photos(subject)
    photos.show_photos(subject, choice, style)
    st.header("How well it tells the category", anchor=False)
    with error_boundary():
        summary.show_activations(subject)
    st.header("Where on the bird it looks", anchor=False)
    with error_boundary():
        summary.show_parts(subject, style.colours)
    st.header("What it rebuilds of Z", anchor=False)
    st.markdown(
        "The x-features must also rebuild the network's layer Z. These dimensions of Z suffer "
        "most when this x-feature is held still at its mean."
    )
    with error_boundary():
        rebuilding.show_rebuilding(subject)
    st.header("Download and share", anchor=False)
    with st.container(horizontal=True):
        summary.show_numbers(subject)
        photos.show_pack(subject, choice, style)
    links.show_link(
        {
            **links.make_module_params(subject.workspace, subject.entry),
            state.FEATURE: name_feature(subject.feature),
            **choice.params,
            **links.make_style_params(style),
        }
    )


with error_boundary("Choose another category or module.", repair=REPAIR):
    show_page()
