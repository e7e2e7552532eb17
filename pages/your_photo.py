"""A visitor's own photo: what the network says of it, how far to believe that, and why."""

import streamlit as st

from explorer.explaining.answer import Answer as NetworkAnswer
from explorer.ui.shared import (
    downloads,
    heatmaps,
    part_figures,
    state,
    x_features,
)
from explorer.ui.shared.answer import Answer, show_answer
from explorer.ui.shared.errors import error_boundary
from explorer.ui.shared.links import name_workspace
from explorer.ui.shared.map_controls import show_map_controls
from explorer.ui.shared.opening import open_workspace_or_say_why, show_next_step
from explorer.ui.shared.styles import load_page_style
from explorer.ui.shared.subject import name_in_markdown
from explorer.ui.shared.windows import find_known_window, find_window
from explorer.ui.shared.words import HELP
from explorer.ui.what_if import change
from explorer.ui.why_not import side_by_side
from explorer.ui.your_photo import explaining, finding, intake, parts, verdict
from explorer.ui.your_photo.links import make_explained_params, show_link
from explorer.ui.your_photo.own_photo import SAMPLE, OwnPhoto
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace


def show_page() -> None:
    """Take a photo, and show the answer first."""
    workspace = open_workspace_or_say_why()
    if workspace is None:
        return
    if not workspace.settings.classifier_sha256:
        show_next_step(workspace)
        return
    load_page_style("your_photo")
    st.title("Your photo", anchor=False)
    introduction = st.container()
    choices = st.container(horizontal=True, vertical_alignment="bottom", key="picker")
    with choices:
        source = intake.choose_source()
        photo = intake.find_photo(workspace, source)
    if photo is None:
        introduction.markdown("Show the network a bird of your own. What does it see, and why?")
        intake.show_intake(source)
        verdict.show_painted_note(workspace)
        verdict.show_way_to_real_birds(workspace)
        return
    photo.marks.name_parts(workspace.dataset.part_names)
    if photo.source != SAMPLE:
        verdict.show_painted_note(workspace)
    said = show_verdict(workspace, photo)
    entries = workspace.list_modules()
    if not entries:
        show_score_alone(workspace, photo, said)
        return
    with choices:
        entry = explaining.choose_module(workspace, photo, entries)
    explaining.show_missing(workspace, photo, entries)
    finding.find_box(workspace, photo, said)
    answer = None
    with error_boundary("Choose another category or module above.", repair="Or repair it."):
        answer = show_explanation(workspace, entry, photo)
        with answer.below_picture:
            verdict.show_truth(workspace, photo, said)
            intake.show_own_buttons(photo)
    show_scores(workspace, photo, said)
    if answer is not None:
        st.header("Download and share", anchor=False)
        downloads.show_downloads(workspace, entry, photo, answer.style, answer.choice.shown)
        show_link(photo, answer.style, make_explained_params(workspace, entry, answer.params))


def show_verdict(workspace: Workspace, photo: OwnPhoto) -> NetworkAnswer:
    """Say what the network says of the photo, which is shown alone as long as that takes."""
    words, place = st.container(key="verdict"), st.empty()
    if photo.is_new:
        with place.container(key="own-photo"):
            intake.show_photo(photo)
    said = verdict.ask_plainly(workspace, photo)
    with words, error_boundary("The network's scores are shown all the same."):
        with st.spinner("Asking the network …"):
            said = verdict.ask(workspace, photo)
        verdict.show_verdict(said)
    place.empty()
    return said


def show_score_alone(workspace: Workspace, photo: OwnPhoto, said: NetworkAnswer) -> None:
    """Show the map of the network's highest score, which needs no module."""
    style = show_map_controls(list(workspace.networks.backbone.stops))
    left, right = st.columns(2, gap="large")
    with left:
        intake.show_photo(photo)
        verdict.show_truth(workspace, photo, said)
        intake.show_own_buttons(photo)
    with right:
        explaining.show_score_only(workspace, said.first, photo, style)
    show_scores(workspace, photo, said)
    st.header("Download and share", anchor=False)
    downloads.show_score_download(workspace, said.first, photo, style)
    show_link(photo, style, name_workspace())


def show_explanation(workspace: Workspace, entry: ModuleEntry, photo: OwnPhoto) -> Answer:
    """Show why one category has its score, and part by part if wanted."""
    question = explaining.ask_why(entry)
    answer = show_answer(workspace, entry, photo, intake.describe_photo(photo), question)
    with answer.below_picture:
        intake.show_facts(photo)
    st.header(f"{name_in_markdown(answer.choice.shown, answer.names)}, part by part", anchor=False)
    if parts.choose_parts(workspace):
        finding.find_at_first(workspace, photo)
        show_parts(workspace, entry, photo, answer)
    explaining.show_contributions_title(entry)
    left, right = st.columns(2, gap="large")
    with left:
        x_features.show_contributions(answer.explanation, answer.choice, answer.names, photo.draw)
        x_features.show_scores(answer.explanation, answer.choice.off)
    with right:
        window = find_window(workspace, entry, photo, answer.style)
        heatmaps.show_score_map(workspace, entry.category, photo, answer.style, window)
    side_by_side.show_why_not(workspace, entry, photo, answer.style)
    change.show_what_if(workspace, entry, photo, answer.style, answer.choice.shown)
    return answer


def show_parts(workspace: Workspace, entry: ModuleEntry, photo: OwnPhoto, answer: Answer) -> None:
    """Show the x-feature's heat part by part, and the parts to be placed."""
    part_names, feature = workspace.dataset.part_names, answer.choice.shown
    if photo.parts is None:
        st.info("Place the bird's parts on the photo below; then the heat on each stands here.")
        parts.show_marks(workspace, photo)
        return
    left, middle, right = st.columns(3, gap="medium")
    with left:
        window = find_known_window(photo, is_cropped=answer.style.is_cropped)
        part_figures.show_partition(photo.parts, part_names, window, photo.draw)
        finding.show_origin(photo.marks)
    with middle:
        measure = photo.parts.measure(answer.explanation.maps)
        part_figures.show_photo_histogram(measure, feature, photo.parts, part_names, photo.draw)
        finding.show_origin(photo.marks)
    with right:
        part_figures.show_test_photos_histogram(workspace, entry, feature)
    st.markdown("##### Where the bird and its parts are")
    parts.show_marks(workspace, photo)


def show_scores(workspace: Workspace, photo: OwnPhoto, said: NetworkAnswer) -> None:
    """Show the network's scores, how they are judged, and the photos most like this one."""
    st.header("What the network says", anchor=False, help=HELP["y_hat"])
    left, right = st.columns(2, gap="large")
    with left:
        verdict.show_scores(said, photo.draw)
        verdict.show_rule(said)
        if photo.source != SAMPLE:
            verdict.show_way_to_real_birds(workspace)
    selection = state.get_selection()
    with right, error_boundary():
        verdict.show_neighbours(workspace, None if selection is None else selection.entry, photo)


with error_boundary("Choose another photo.", repair="Or repair the workspace and reload the page."):
    show_page()
