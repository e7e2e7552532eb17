"""One photo of the data set: what the network says of it, and why, in x-features."""

import streamlit as st

from explorer.ui.overview import example
from explorer.ui.photo import facts, picker
from explorer.ui.shared import (
    cached,
    downloads,
    heatmaps,
    links,
    part_figures,
    verdicts,
    x_features,
)
from explorer.ui.shared.answer import Answer, show_answer
from explorer.ui.shared.empty import show_no_metrics, show_no_photos, show_own_photo_link
from explorer.ui.shared.errors import REPAIR, error_boundary
from explorer.ui.shared.markdown import escape_markdown
from explorer.ui.shared.measures import show_module_measures
from explorer.ui.shared.opening import open_selection_or_say_why
from explorer.ui.shared.shown_photo import DatasetPhoto
from explorer.ui.shared.state import Selection
from explorer.ui.shared.styles import load_page_style
from explorer.ui.shared.subject import name_in_markdown
from explorer.ui.shared.windows import find_known_window, find_window
from explorer.ui.shared.words import HELP
from explorer.ui.what_if import change
from explorer.ui.why_not import side_by_side
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace


def show_page() -> None:
    """Show the answer first, and then everything that it rests on."""
    opened = open_selection_or_say_why()
    if opened is None:
        return
    workspace, selection = opened
    entry, category = selection.entry, escape_markdown(selection.category_name)

    st.title(f"Why “{category}”?", anchor=False)
    if not workspace.dataset.has_photos:
        show_without_photos(workspace, selection)
        return
    categories = workspace.dataset.categories
    split = cached.load_split(workspace, entry)
    photo = picker.show_photo_picker(workspace, entry, split)
    shown = DatasetPhoto(photo)
    answer = show_answer(workspace, entry, shown, facts.describe_photo(workspace, photo))
    with answer.below_sentence:
        verdicts.show_verdict(answer.explanation.logits, categories, photo.category)
    with answer.below_picture:
        facts.show_facts(workspace, entry, photo)
    links.show_other_categories(workspace, entry, photo, answer.explanation.logits)

    show_parts(workspace, entry, shown, answer)
    st.header(f"What adds up to the score of {category}", anchor=False, help=HELP["contribution"])
    show_score(workspace, entry, shown, answer)
    side_by_side.show_why_not(workspace, entry, shown, answer.style, photo.category)
    change.show_what_if(workspace, entry, shown, answer.style, answer.choice.shown)
    show_trust(workspace, entry)

    st.header("Download and share", anchor=False)
    downloads.show_downloads(workspace, entry, shown, answer.style, answer.choice.shown)
    links.show_link(
        {
            **links.make_photo_params(workspace, entry, photo),
            **answer.params,
            **links.make_style_params(answer.style),
        }
    )


def show_without_photos(workspace: Workspace, selection: Selection) -> None:
    """Show the answer on average, how to get photos, and what is known of the module."""
    load_page_style("overview")
    example.show_mean_example(workspace, selection, has_heading=False)
    show_no_photos(workspace, "Until then, this is the answer on average.")
    show_own_photo_link()
    show_trust(workspace, selection.entry)


def show_parts(
    workspace: Workspace, entry: ModuleEntry, photo: DatasetPhoto, answer: Answer
) -> None:
    """Show on which parts of the bird the heat of the chosen x-feature lies."""
    part_names, feature = workspace.dataset.part_names, answer.choice.shown
    st.header(f"{name_in_markdown(feature, answer.names)}, part by part", anchor=False)
    left, middle, right = st.columns(3, gap="medium")
    with left:
        window = find_known_window(photo, is_cropped=answer.style.is_cropped)
        part_figures.show_partition(photo.parts, part_names, window, photo.draw)
    with middle, st.spinner("Counting heat part by part …"):
        measure = photo.parts.measure(answer.explanation.maps)
        part_figures.show_photo_histogram(measure, feature, photo.parts, part_names, photo.draw)
    with right:
        part_figures.show_test_photos_histogram(workspace, entry, feature)


def show_score(
    workspace: Workspace, entry: ModuleEntry, photo: DatasetPhoto, answer: Answer
) -> None:
    """Show the sum of the contributions next to the network's scores and their map."""
    left, right = st.columns(2, gap="large")
    explanation = answer.explanation
    with left:
        x_features.show_contributions(explanation, answer.choice, answer.names, photo.draw)
        x_features.show_scores(explanation, answer.choice.off)
        categories = workspace.dataset.categories
        verdicts.show_top_scores(
            explanation.logits, categories, photo.photo.category, entry.category
        )
    with right:
        window = find_window(workspace, entry, photo, answer.style)
        heatmaps.show_score_map(workspace, entry.category, photo, answer.style, window)


def show_trust(workspace: Workspace, entry: ModuleEntry) -> None:
    """Show how faithful and how local the module is."""
    st.header("How far to trust this module", anchor=False)
    measures = cached.load_measures(workspace, entry)
    if measures is None:
        show_no_metrics(workspace)
    else:
        show_module_measures(measures, len(workspace.dataset.part_names))


with error_boundary("Choose another photo, category or module.", repair=REPAIR):
    show_page()
