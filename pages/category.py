"""One category: its most important x-features, how well its score is copied, all its photos."""

from functools import partial

import streamlit as st

from explorer.config import PAGES_DIR
from explorer.explaining.naming import merge_names, name_feature
from explorer.storage import packing
from explorer.ui.category import photos, scatter, summary
from explorer.ui.shared import cached, empty, exports, links, scores, state
from explorer.ui.shared.errors import REPAIR, error_boundary
from explorer.ui.shared.map_controls import read_style, show_map_controls
from explorer.ui.shared.markdown import escape_markdown
from explorer.ui.shared.measures import show_module_measures
from explorer.ui.shared.notes import load_notes
from explorer.ui.shared.opening import open_selection_or_say_why
from explorer.ui.shared.state import MapStyle, Selection
from explorer.ui.shared.subject import Subject
from explorer.ui.shared.x_features import choose_feature
from explorer.workspace.workspace import Workspace


def show_page() -> None:
    """Show the category's name first, then what the network computes."""
    opened = open_selection_or_say_why()
    if opened is None:
        return
    workspace, selection = opened
    st.title(escape_markdown(selection.category_name), anchor=False)
    introduction = st.container()
    with st.spinner("Loading the network …"):
        layers = list(workspace.networks.backbone.stops)
    module_scores = scores.score_module(workspace, selection.entry)
    style = (show_map_controls if workspace.dataset.has_photos else read_style)(layers)
    metrics = cached.load_measures_or_none(workspace, selection.entry)
    st.header("What matters most", anchor=False)
    notes_place = st.container()
    feature = choose_feature(selection.entry, module_scores.x_features.shape[1], metrics)
    with notes_place:
        notes = load_notes(selection.entry)
    subject = Subject(
        workspace,
        selection.entry,
        module_scores,
        cached.load_split(workspace, selection.entry).name_sides(module_scores.image_ids),
        merge_names({} if notes is None else notes.names, metrics),
        feature,
    )
    with introduction:
        summary.show_introduction(subject)
    show_sections(workspace, selection, subject, style)


def show_sections(
    workspace: Workspace, selection: Selection, subject: Subject, style: MapStyle
) -> None:
    """Show x-features, scores and photos; a section that fails does not affect the others."""
    left, right = st.columns([5, 7], gap="large")
    with left, error_boundary():
        summary.show_ranking(subject)
    with right, error_boundary():
        summary.show_examples(subject, style)
    with error_boundary():
        summary.show_birds(subject, style.colours)
    st.header("How well the module copies the score", anchor=False)
    with error_boundary():
        scatter.show_scatter(subject)
    with error_boundary():
        metrics = cached.load_measures(workspace, subject.entry)
        if metrics is None:
            empty.show_no_metrics(workspace)
        else:
            show_module_measures(metrics, len(workspace.dataset.part_names))
    st.header("All photos", anchor=False)
    empty.show_no_photos(workspace)
    st.page_link(
        PAGES_DIR / "photo_map.py",
        label="See them on a map",
        icon=":material/scatter_plot:",
        query_params=links.make_module_params(workspace, subject.entry),
    )
    choice = photos.choose_photos(has_photos=workspace.dataset.has_photos)
    photos.show_photos(subject, choice, style)
    st.header("Download and share", anchor=False)
    stem = packing.make_stem(selection.category_name, subject.entry.run, "photos")
    exports.show_numbers(
        partial(summary.make_columns, subject), stem, "Every photo's numbers (CSV)"
    )
    links.show_link(
        {
            **links.make_module_params(workspace, subject.entry),
            state.FEATURE: name_feature(subject.feature),
            **choice.params,
            **links.make_style_params(style),
        }
    )


with error_boundary("Choose another category or module.", repair=REPAIR):
    show_page()
