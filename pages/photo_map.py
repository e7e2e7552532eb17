"""A map of photos: those with like x-features, or like scores, lie together."""

import numpy as np
import streamlit as st
from plotly.io import from_json

from explorer.ui.photo_map import choosing, figure
from explorer.ui.photo_map.choosing import ACTIVATION, X_FEATURES, Choice
from explorer.ui.shared import cached, empty, links, scores, state
from explorer.ui.shared.errors import error_boundary
from explorer.ui.shared.figures import show_figure
from explorer.ui.shared.markdown import escape_markdown
from explorer.ui.shared.names import name_feature
from explorer.ui.shared.opening import open_selection_or_say_why
from explorer.ui.shared.subject import Subject
from explorer.ui.shared.x_features import choose_feature


def show_page() -> None:
    """Show the choices, then the map."""
    opened = open_selection_or_say_why()
    if opened is None:
        return
    workspace, selection = opened
    entry = selection.entry
    category = escape_markdown(selection.category_name)
    st.title("Map of photos", anchor=False)
    st.markdown(
        f"Every point is a photo. Photos that the module of **{category}** explains alike, or that "
        "the network scores alike, lie together. A click on a point opens its photo."
    )
    empty.show_no_photos(workspace)
    with st.spinner("Loading the network …"):
        module_scores = scores.score_module(workspace, entry)
    choice = choosing.choose_map()
    feature = 0
    if choice.colours == ACTIVATION:
        metrics = cached.load_measures_or_none(workspace, entry)
        feature = choose_feature(module_scores.x_features.shape[1], metrics)
    subject = Subject(
        workspace,
        entry,
        module_scores,
        cached.load_split(workspace, entry).name_sides(module_scores.image_ids),
        cached.load_names(workspace, entry),
        feature,
    )
    show_map(subject, choice)
    st.header("Download and share", anchor=False)
    chosen = {state.FEATURE: name_feature(feature)} if choice.colours == ACTIVATION else {}
    links.show_link({**links.make_module_params(workspace, entry), **choice.params, **chosen})


def show_map(subject: Subject, choice: Choice) -> None:
    """Show the map; a click on a point opens its photo on the Photo page."""
    rows = figure.find_rows(subject, choice)
    if not len(rows):
        st.info("There are no such photos. Choose all photos, or all birds.")
        return
    said = subject.scores.logits[rows].argmax(axis=1)
    photos = figure.list_photos(subject, rows)
    right = int(np.sum(said == [photo.category_index for photo in photos]))
    clicked = show_figure(
        from_json(figure.draw_map(subject, choice, state.get_text_colour())),
        f"{len(rows):,} photos as points, placed by {choice.by} and coloured by {choice.colours}; "
        f"the network is right on {right:,} of them",
        key="figure-photo-map",
        numbers=lambda: make_columns(subject, choice),
        is_clickable=True,
    )
    arrows = (
        " Arrows show where points move as an x-feature adds more to the score."
        if choice.by == X_FEATURES
        else ""
    )
    st.caption(
        f"{len(rows):,} photos; the network is right on {right:,}. The plane shows the first two "
        f"principal components, and thus not all differences.{arrows} By keyboard, photos open "
        "from the pages Category and Photo."
    )
    if clicked is not None:
        photo = subject.workspace.dataset.get_photo(int(clicked))
        links.switch_to_photo(subject.workspace, subject.entry, photo)


def make_columns(subject: Subject, choice: Choice) -> dict[str, list[object]]:
    """Arrange places and answers as columns, with one row per photo."""
    rows = figure.find_rows(subject, choice)
    points = figure.place_photos(subject, choice, rows).points
    photos = figure.list_photos(subject, rows)
    categories = subject.workspace.dataset.categories
    said = subject.scores.logits[rows].argmax(axis=1).tolist()
    return {
        "image_id": [photo.image_id for photo in photos],
        "category": [photo.category for photo in photos],
        "said": [categories[index] for index in said],
        "first_axis": points[:, 0].tolist(),
        "second_axis": points[:, 1].tolist(),
        "activation": subject.activations[rows].tolist(),
    }


with error_boundary("Choose another category or module, or mend it and reload."):
    show_page()
