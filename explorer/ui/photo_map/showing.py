"""The map of photos on the page, with its numbers."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import streamlit as st

from explorer.data.names import count_words, name_categories
from explorer.data.photo import Photo
from explorer.ui.photo_map import figure
from explorer.ui.photo_map.choosing import ACTIVATION, EVERY, X_FEATURES, Choice
from explorer.ui.shared import links, state
from explorer.ui.shared.figures import show_figure
from explorer.ui.shared.markdown import escape_markdown
from explorer.ui.shared.names import name_photo, name_photos
from explorer.ui.shared.subject import Subject
from explorer.workspace.workspace import Workspace

_BIRD, _PHOTO = "map_list_of", "map_list_photo"


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
        f"{count}{_describe_rest(subject, choice, len(rows))}; the network is right on {right:,}. "
        f"The plane shows the first two principal components, and thus not all differences.{arrows}"
    )
    if subject.workspace.dataset.has_photos:
        _offer_photos(subject, photos)
    if clicked is not None:
        photo = subject.workspace.dataset.get_photo(int(clicked))
        links.switch_to_photo(subject.workspace, subject.entry, photo)


def _describe_rest(subject: Subject, choice: Choice, count: int) -> str:
    is_cut = choice.whose == EVERY and count == figure.MOST_POINTS
    everything = len(subject.scores.image_ids)
    return f" drawn by chance from {everything:,}, with all of the category" if is_cut else ""


def _offer_photos(subject: Subject, photos: Sequence[Photo]) -> None:
    """Show a list of the photos of the map by name, and a link that opens the chosen one."""
    workspace, entry = subject.workspace, subject.entry
    shown = dict.fromkeys(photo.category for photo in photos)
    birds = [entry.category] * (entry.category in shown)
    birds += [name for name in shown if name != entry.category]
    with st.container(horizontal=True, vertical_alignment="bottom", key="photo-map-list"):
        bird = _choose_bird(workspace, birds) if len(birds) > 1 else birds[0]
        names = name_photos([photo for photo in photos if photo.category == bird])
        state.discard_unknown_choice(_PHOTO, names)
        chosen = st.selectbox(
            "Open a photo",
            list(names),
            format_func=lambda image_id: names.get(image_id, str(image_id)),
            key=_PHOTO,
            help="Without a pointer: type a part of its name.",
            width=300,
        )
        photo = workspace.dataset.get_photo(chosen)
        links.show_photo_link(
            workspace, entry, photo, escape_markdown(f"Open {name_photo(workspace, photo)}")
        )


def _choose_bird(workspace: Workspace, birds: Sequence[str]) -> str:
    names = name_categories(workspace.dataset.categories)
    state.discard_unknown_choice(_BIRD, birds)
    return st.selectbox(
        "Of which bird", birds, format_func=lambda name: names.get(name, name), key=_BIRD, width=280
    )


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
