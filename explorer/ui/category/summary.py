"""A category as a whole: its most important x-features, and how well its score is copied."""

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer.analysis.faithfulness import compute_base
from explorer.data.names import count_words
from explorer.data.photo import Photo
from explorer.explaining.naming import name_feature
from explorer.render.numbers import format_number, format_signed
from explorer.render.x_feature_bars import render_mean_contributions
from explorer.ui.shared import birds, cached, drawings, gallery, links, state
from explorer.ui.shared.errors import error_boundary
from explorer.ui.shared.figures import draw, show_figure
from explorer.ui.shared.gallery import Tile
from explorer.ui.shared.markdown import format_contribution
from explorer.ui.shared.names import name_photo
from explorer.ui.shared.progress import track
from explorer.ui.shared.state import MapStyle
from explorer.ui.shared.subject import Subject, name_in_figure
from explorer.ui.shared.words import HELP

_EXAMPLES = 6


def show_introduction(subject: Subject) -> None:
    """Show the number of photos, and how many the network classifies correctly."""
    own = subject.scores.is_positive
    category = subject.workspace.dataset.categories.index(subject.entry.category)
    held_out = {photo.image_id for photo in subject.workspace.held_out}
    is_test = own & np.isin(subject.scores.image_ids, list(held_out))
    right = int((subject.scores.logits[is_test].argmax(axis=1) == category).sum())
    kind = "painted birds" if subject.workspace.is_painted else "photos"
    known = (
        f"The network is right on {right} of {int(is_test.sum())} held-out photos, which include "
        "the module's test photos."
        if is_test.any()
        else "The network was trained on all of them."
    )
    st.markdown(f"{int(own.sum())} {kind}. {known}", help=HELP["accuracy"])


def find_own_test_rows(subject: Subject) -> NDArray[np.int64]:
    """Return the rows of the category's own test photos, or of all its photos if it has none."""
    own = subject.scores.is_positive
    tested = own & (subject.sides == "test")
    rows: NDArray[np.int64] = np.flatnonzero(tested if tested.any() else own)
    return rows


def rank_features(subject: Subject) -> NDArray[np.int64]:
    """Return all x-features, counted from 0, by mean contribution, the highest first."""
    means = subject.scores.contributions[find_own_test_rows(subject)].mean(axis=0)
    order: NDArray[np.int64] = np.argsort(-means, kind="stable")
    return order


def show_ranking(subject: Subject) -> None:
    """Show what every x-feature adds to the score of the category's own test photos."""
    order, rows = rank_features(subject), find_own_test_rows(subject)
    names = [name_in_figure(int(n), subject.names) for n in order]
    contributions = subject.scores.contributions[rows][:, order]
    means = contributions.mean(axis=0) + 0.0
    show_figure(
        draw(render_mean_contributions, contributions, names),
        "Mean contribution of every x-feature: "
        + ", ".join(
            f"{name_feature(int(n))} {format_signed(float(mean))}"
            for n, mean in zip(order, means, strict=True)
        ),
        key="figure-mean-contributions",
        numbers={
            "x-feature": [name_feature(int(n)) for n in order],
            "name": [subject.names.get(int(n), "") for n in order],
            "mean contribution": means.tolist(),
            "lowest": contributions.min(axis=0).tolist(),
            "highest": contributions.max(axis=0).tolist(),
        },
    )
    y_bar = float(subject.scores.y_bar[rows].mean())
    base = compute_base(y_bar, means)
    start = f"From the base of {format_number(base)}, they" if base else "They"
    st.caption(
        f"Bars are means over the category's own {count_words(len(rows), 'test photo')}, each of "
        f"them a thin line. {start} add up to {format_number(y_bar)}, the module's mean score.",
        help=HELP["contribution"],
    )


def show_examples(subject: Subject, style: MapStyle) -> None:
    """Show the chosen x-feature on test photos of the category, with its contributions."""
    rank = rank_features(subject).tolist().index(subject.feature) + 1
    count = subject.scores.x_features.shape[1]
    place = "the most important" if rank == 1 else f"number {rank}"
    among = "the only x-feature" if count == 1 else f"{place} of {count}"
    own = find_own_test_rows(subject)
    rows, mean = own[:_EXAMPLES], float(subject.contributions[own].mean())
    words = (
        f"**{subject.title}** is {among}: on average it adds {format_signed(mean)} to the score."
    )
    if subject.workspace.dataset.has_photos:
        photos = count_words(len(rows), "test photo")
        st.markdown(f"{words} The category's first {photos}, as they come and not the best ones:")
        _show_gallery(subject, rows, style)
    else:
        st.markdown(words)
    links.show_feature_link(
        subject.workspace,
        subject.entry,
        subject.feature,
        f"All about {name_feature(subject.feature)}",
        icon=":material/search:",
    )


def _show_gallery(subject: Subject, rows: NDArray[np.int64], style: MapStyle) -> None:
    tiles = []
    for row in track(rows.tolist(), "Drawing photo"):
        # If a photo cannot be read, the others are still shown.
        with error_boundary():
            tiles.append(_make_example(subject, row, style))
    gallery.show_gallery(subject.workspace, subject.entry, tiles, "examples")


def show_birds(subject: Subject, colours: str) -> None:
    """Show where on the bird the heat of every x-feature lies, the most important one first.

    Nothing is shown before the module is measured; its measures, further down, say so.
    """
    measures = cached.load_measures_or_none(subject.workspace, subject.entry)
    if measures is not None and birds.is_drawn(subject.workspace.dataset.part_names):
        st.markdown("### Where on the bird each of them looks")
        birds.show_all_birds(measures, subject, rank_features(subject).tolist(), colours)


def _make_example(subject: Subject, row: int, style: MapStyle) -> Tile:
    photo = get_photo(subject, row)
    activation = float(subject.activations[row])
    contribution = float(subject.contributions[row]) + 0.0
    name = name_feature(subject.feature)
    return Tile(
        photo,
        drawings.draw_photo_tile(subject.workspace, subject.entry, photo, style, subject.feature),
        alt=(
            f"Heatmap of {name} over {name_photo(subject.workspace, photo).lower()}; contribution "
            f"{format_signed(contribution)}"
        ),
        text="",
        above=format_contribution(contribution, activation),
        params={state.FEATURE: name},
    )


def get_photo(subject: Subject, row: int) -> Photo:
    """Return the photo of a row of the module's scores."""
    return subject.workspace.dataset.get_photo(int(subject.scores.image_ids[row]))


def make_columns(subject: Subject) -> dict[str, list[object]]:
    """Arrange the scores of network and module as columns, with one row per photo."""
    scores = subject.scores
    photos = [get_photo(subject, row) for row in range(len(scores.image_ids))]
    said = scores.logits.argmax(axis=1).tolist()
    return {
        "image_id": [photo.image_id for photo in photos],
        "category": [photo.category for photo in photos],
        "said": [subject.workspace.dataset.categories[index] for index in said],
        "side": subject.sides.tolist(),
        "y_hat": scores.y_hat.tolist(),
        "y_bar": scores.y_bar.tolist(),
        "base": [compute_base(float(scores.y_bar[0]), scores.contributions[0])] * len(photos),
        **{
            f"contribution_{n + 1}": scores.contributions[:, n].tolist()
            for n in range(scores.contributions.shape[1])
        },
        **{
            f"activation_{n + 1}": scores.x_features[:, n].tolist()
            for n in range(scores.x_features.shape[1])
        },
    }
