"""A visitor's own photo: what the network says of it, how far to believe that, and why."""

import streamlit as st

from explorer.ui.shared import cached, caching, components, empty, heatmaps, links, state
from explorer.ui.your_photo import explaining, intake, photo_downloads, photo_parts, verdict
from explorer.ui.your_photo.own_photo import SAMPLE, OwnPhoto
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace


def show_page() -> None:
    """Take a photo, show it at once, then what has to be computed of it."""
    workspace = empty.open_workspace_or_say_why()
    if workspace is None:
        return
    if not workspace.settings.classifier_sha256:
        empty.show_next_step(workspace)
        return
    components.load_page_style("your_photo")
    st.title("Your photo", anchor=False)
    st.markdown("Show the network a bird of your own: what does it take it for, and why?")
    photo = intake.show_intake(workspace)
    if photo is None or photo.source != SAMPLE:
        verdict.show_painted_note(workspace)
    if photo is None:
        return
    photo.marks.name_parts(workspace.dataset.part_names)
    entries = workspace.list_modules()
    left, right = st.columns([5, 6], gap="large")
    with left:
        intake.show_photo(photo)
        if photo.source != SAMPLE:
            intake.show_own_buttons(photo)
    with right:
        verdict_place = st.container()
        with st.spinner("Asking the network …"):
            verdict.show_scores(workspace, photo)
    with components.error_boundary("The network's scores are shown all the same."):
        judgement, neighbours = verdict.judge(workspace, photo)
        with verdict_place:
            verdict.show_verdict(workspace, photo, judgement)
        selection = state.get_selection()
        verdict.show_neighbours(
            workspace, None if selection is None else selection.entry, neighbours
        )
    st.header("Why?", anchor=False)
    if not entries:
        show_score_alone(workspace, photo)
        return
    entry = explaining.choose_module(workspace, photo, entries)
    with components.error_boundary("Choose another category or module above, or mend it."):
        show_explanation(workspace, entry, photo)


def show_score_alone(workspace: Workspace, photo: OwnPhoto) -> None:
    """Show where the network's highest score comes from, which takes no module."""
    style = explaining.show_map_controls(workspace)
    order = verdict.ask(workspace, photo).order
    category = workspace.dataset.categories[int(order[0])]
    explaining.show_score_only(workspace, category, photo, style)
    st.header("Take it along", anchor=False)
    photo_downloads.show_score_download(workspace, category, photo, style)
    photo_downloads.show_link(photo, style, links.name_workspace())


def show_explanation(workspace: Workspace, entry: ModuleEntry, photo: OwnPhoto) -> None:
    """Show one category's x-features on the photo, beside the network's own score of it."""
    style = explaining.show_map_controls(workspace)
    with st.spinner("Tracing the x-features back to the photo's pixels …"):
        explanation = explaining.explain(workspace, entry, photo, style.layer)
        key = caching.make_module_key(workspace, entry)
        overlays = explaining.draw(photo, explanation.maps, style, key)
    left, right = st.columns(2, gap="large")
    with left:
        explaining.show_contributions_title(entry)
        heatmaps.show_contributions(explanation)
        components.show_scores(explanation.y_hat, explanation.y_bar)
    with right:
        st.markdown("##### Where that score comes from")
        explaining.show_score_map(workspace, entry.category, photo, style)

    st.header("What each x-feature looks at", anchor=False)
    feature = heatmaps.choose_feature(
        len(explanation.x_features),
        cached.load_measures(workspace, entry),
        "x-feature to look at closely",
    )
    heatmaps.show_tiles(explanation, overlays, feature, style)
    heatmaps.show_drawing_note(explanation, style)

    st.header(f"{heatmaps.name_feature(feature)} up close", anchor=False)
    left, right = st.columns(2, gap="large")
    with left, st.container(key="large-map"):
        large = explaining.draw_large(
            photo, explanation.maps[feature], style, (*key, feature), overlays.tops[feature]
        )
        heatmaps.show_large(explanation, large, overlays.tops[feature], feature, style)
    with right:
        is_measured = photo_parts.choose_parts()
        if is_measured:
            photo_parts.show_histogram(workspace, entry, photo, style.layer, feature)
    if is_measured:
        st.header("Where the bird and its parts are", anchor=False)
        photo_parts.show_marks(photo, workspace.dataset.part_names)
        if photo.marks.points:
            photo_parts.show_partition(workspace, entry, photo, feature)

    st.header("Take it along", anchor=False)
    photo_downloads.show_downloads(workspace, entry, photo, style, feature)
    explained = photo_downloads.make_explained_params(workspace, entry, feature)
    photo_downloads.show_link(photo, style, explained)


with components.error_boundary("Choose another photo, or mend the workspace and reload."):
    show_page()
