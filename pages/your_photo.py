"""A visitor's own photo: what the network says of it, how far to believe that, and why."""

import streamlit as st

from explorer.ui.shared import (
    cached,
    downloads,
    drawings,
    heatmaps,
    part_figures,
    state,
    verdicts,
    x_features,
)
from explorer.ui.shared.errors import error_boundary
from explorer.ui.shared.links import name_workspace
from explorer.ui.shared.map_controls import show_map_controls
from explorer.ui.shared.opening import open_workspace_or_say_why, show_next_step
from explorer.ui.shared.state import MapStyle
from explorer.ui.shared.styles import load_page_style
from explorer.ui.shared.subject import name_in_markdown
from explorer.ui.what_if import change
from explorer.ui.why_not import side_by_side
from explorer.ui.your_photo import explaining, finding, intake, parts, verdict
from explorer.ui.your_photo.links import make_explained_params, show_link
from explorer.ui.your_photo.own_photo import SAMPLE, OwnPhoto
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace


def show_page() -> None:
    """Take a photo, show it at once, then what a network has to compute."""
    workspace = open_workspace_or_say_why()
    if workspace is None:
        return
    if not workspace.settings.classifier_sha256:
        show_next_step(workspace)
        return
    load_page_style("your_photo")
    st.title("Your photo", anchor=False)
    st.markdown("Show the network a bird of your own: what does it take it for, and why?")
    photo = intake.show_intake(workspace)
    if photo is None or photo.source != SAMPLE:
        verdict.show_painted_note(workspace)
    if photo is None:
        return
    photo.marks.name_parts(workspace.dataset.part_names)
    show_answer(workspace, photo)
    st.header("Why?", anchor=False)
    entries = workspace.list_modules()
    if not entries:
        show_score_alone(workspace, photo)
        return
    entry = explaining.choose_module(workspace, photo, entries)
    with error_boundary("Choose another category or module above, or mend it."):
        show_explanation(workspace, entry, photo)


def show_answer(workspace: Workspace, photo: OwnPhoto) -> None:
    """Show the photo next to what the network says of it, and how far to believe that."""
    left, right = st.columns([5, 6], gap="large")
    with left:
        intake.show_photo(photo)
        if photo.source != SAMPLE:
            intake.show_own_buttons(photo)
    answer = verdict.ask_plainly(workspace, photo)
    with right, error_boundary("The network's scores are shown all the same."):
        with st.spinner("Asking the network …"):
            answer = verdict.ask(workspace, photo)
        verdict.show_verdict(workspace, photo, answer)
    with right:
        verdict.show_scores(answer)
    selection = state.get_selection()
    with error_boundary():
        verdict.show_neighbours(workspace, None if selection is None else selection.entry, photo)


def show_score_alone(workspace: Workspace, photo: OwnPhoto) -> None:
    """Show the map of the network's highest score, which needs no module."""
    style = show_map_controls(list(workspace.networks.backbone.stops))
    category = verdict.ask_plainly(workspace, photo).first
    explaining.show_score_only(workspace, category, photo, style)
    st.header("Take it along", anchor=False)
    downloads.show_score_download(workspace, category, photo, style)
    show_link(photo, style, name_workspace())


def show_explanation(workspace: Workspace, entry: ModuleEntry, photo: OwnPhoto) -> None:
    """Show one category's x-features on the photo, and the map of the network's own score."""
    style = show_map_controls(list(workspace.networks.backbone.stops))
    with st.spinner("Tracing the x-features back to the photo's pixels …"):
        explanation = photo.explain(workspace, entry, style.layer)
        overlays = drawings.draw_tiles(workspace, entry, photo, style)
    left, right = st.columns(2, gap="large")
    with left:
        explaining.show_contributions_title(entry)
        names = cached.load_names(workspace, entry)
        x_features.show_sentence(explanation, names)
        x_features.show_contributions(explanation, names)
        verdicts.show_scores(explanation.y_hat, explanation.y_bar)
    with right:
        st.markdown("**Where that score comes from**")
        explaining.show_score_map(workspace, entry.category, photo, style)

    st.header("What each x-feature looks at", anchor=False)
    feature = x_features.choose_feature(
        len(explanation.x_features),
        cached.load_measures(workspace, entry),
        "x-feature to look at closely",
    )
    heatmaps.show_tiles(explanation, overlays, feature, style, names=names)
    heatmaps.show_drawing_note(explanation, style)
    look = show_up_close(workspace, entry, photo, style, feature)

    side_by_side.show_why_not(workspace, entry, photo, style)
    change.show_what_if(workspace, entry, photo, style, feature)

    st.header("Take it along", anchor=False)
    downloads.show_downloads(workspace, entry, photo, style, feature)
    show_link(photo, style, make_explained_params(workspace, entry, feature, look))


def show_up_close(
    workspace: Workspace, entry: ModuleEntry, photo: OwnPhoto, style: MapStyle, feature: int
) -> str:
    """Show one x-feature closely, and part by part if wanted; return how its map is shown."""
    title = name_in_markdown(feature, cached.load_names(workspace, entry))
    st.header(f"{title} up close", anchor=False)
    look = heatmaps.choose_look()
    left, right = st.columns(2, gap="large")
    with left, st.container(key="large-map"):
        heatmaps.show_up_close(workspace, entry, photo, style, feature, look=look)
    with right:
        is_measured = parts.choose_parts(workspace)
        if is_measured:
            finding.find_at_first(workspace, photo)
            show_histogram(workspace, entry, photo, style, feature)
    if is_measured:
        show_parts(workspace, entry, photo, feature)
    return look


def show_histogram(
    workspace: Workspace, entry: ModuleEntry, photo: OwnPhoto, style: MapStyle, feature: int
) -> None:
    """Show the x-feature's heat part by part, or ask for parts where none has a place."""
    if photo.parts is None:
        st.info("Place the bird's parts on the photo below; then the heat on each stands here.")
        return
    measure = photo.parts.measure(photo.explain(workspace, entry, style.layer).maps)
    part_figures.show_photo_histogram(measure, feature, workspace.dataset.part_names)
    finding.show_origin(photo.marks)


def show_parts(workspace: Workspace, entry: ModuleEntry, photo: OwnPhoto, feature: int) -> None:
    """Show the parts to be placed, and below them what the measure makes of them."""
    st.header("Where the bird and its parts are", anchor=False)
    parts.show_marks(workspace, photo)
    if photo.parts is None:
        return
    left, right = st.columns(2, gap="large")
    with left:
        part_figures.show_partition(photo.parts, workspace.dataset.part_names)
        finding.show_origin(photo.marks)
    with right:
        part_figures.show_test_photos_histogram(workspace, entry, feature)


with error_boundary("Choose another photo, or mend the workspace and reload."):
    show_page()
