"""The map of photos on the page, with its numbers."""

from functools import partial

import numpy as np
import streamlit as st

from explorer.data.names import count_words
from explorer.ui.photo_map import figure
from explorer.ui.photo_map.choosing import ACTIVATION, X_FEATURES, Choice
from explorer.ui.shared import links, state
from explorer.ui.shared.figures import show_figure
from explorer.ui.shared.subject import Subject


def show_map(subject: Subject, choice: Choice) -> None:
    """Show the map; a click on a point opens its photo on the Photo page."""
    rows = figure.find_rows(subject, choice)
    if not len(rows):
        st.info("There are no such photos. Choose all photos, or all birds.")
        return
    said = subject.scores.logits[rows].argmax(axis=1)
    photos = figure.list_photos(subject, rows)
    count = count_words(len(rows), "photo")
    right = int(np.sum(said == [photo.category_index for photo in photos]))
    clicked = show_figure(
        figure.draw_map(subject, choice, state.get_text_colour()),
        f"{count} as points, placed by {choice.by} and coloured by {choice.colours}; "
        f"the network is right on {right:,} of them",
        key="figure-photo-map",
        numbers=partial(make_columns, subject, choice),
        is_clickable=subject.workspace.dataset.has_photos,
    )
    arrows = (
        " Arrows show where points move as an x-feature adds more to the score."
        if choice.by == X_FEATURES
        else ""
    )
    st.caption(
        f"{count}; the network is right on {right:,}. The plane shows the first two "
        f"principal components, and thus not all differences.{arrows}"
        + (
            " By keyboard, photos open from the pages Category and Photo."
            if subject.workspace.dataset.has_photos
            else ""
        )
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
    } | (
        {f"activation_{subject.feature + 1}": subject.activations[rows].tolist()}
        if choice.colours == ACTIVATION
        else {}
    )
