"""The map of photos, drawn once for all sessions."""

import html
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from explorer.analysis.projection import Projection, project
from explorer.data.cub import format_category
from explorer.data.photo import Photo
from explorer.explaining.naming import name_feature
from explorer.render.photo_map import PointGroup, PointScale, render_photo_map
from explorer.render.style import (
    LOWERING_COLOUR,
    MODULE_COLOUR,
    RAISING_COLOUR,
    compute_extra_colour,
)
from explorer.ui.photo_map.choosing import ACTIVATION, HELD_OUT, OWN, RIGHT, X_FEATURES, Choice
from explorer.ui.shared.caching import Key, cache_resource, make_module_key
from explorer.ui.shared.names import name_photo
from explorer.ui.shared.subject import Subject, name_in_figure

MOST_POINTS = 12_000  # a little more than CUB has photos
_MOST_SPECIES = 8  # whose colours can be told apart


def find_rows(subject: Subject, choice: Choice) -> NDArray[np.int64]:
    """Return the rows of the module's scores whose photos are shown, ascending.

    Of more than `MOST_POINTS`, the category's own are kept, and others drawn by chance.
    """
    is_shown = np.ones(len(subject.scores.image_ids), dtype=bool)
    if choice.whose == OWN:
        is_shown &= subject.scores.is_positive
    if choice.side == HELD_OUT:
        held_out = [photo.image_id for photo in subject.workspace.held_out]
        is_shown &= np.isin(subject.scores.image_ids, held_out)
    rows: NDArray[np.int64] = np.flatnonzero(is_shown)
    if len(rows) <= MOST_POINTS:
        return rows
    is_own = subject.scores.is_positive[rows]
    own = rows[is_own][:MOST_POINTS]
    others = np.random.default_rng(0).choice(rows[~is_own], MOST_POINTS - len(own), replace=False)
    return np.sort(np.concatenate([own, others]))


def _make_subject_key(subject: Subject) -> Key:
    ids, names = subject.scores.image_ids.tobytes(), tuple(sorted(subject.names.items()))
    return (*make_module_key(subject.workspace, subject.entry), ids, subject.feature, str(names))


@cache_resource(16, also={Subject: _make_subject_key})
def draw_map(subject: Subject, choice: Choice, text_colour: str) -> go.Figure:
    """Draw a point for every photo that is shown."""
    rows = find_rows(subject, choice)
    placed = place_photos(subject, choice, rows)
    photos = list_photos(subject, rows)
    said = subject.scores.logits[rows].argmax(axis=1)
    arrows = {}
    if choice.by == X_FEATURES:
        arrows = {
            name_in_figure(n, subject.names): (float(x), float(y))
            for n, (x, y) in enumerate(placed.moves)
        }
    return render_photo_map(
        placed.points,
        placed.shares,
        _choose_colours(subject, choice, rows, photos, said),
        image_ids=subject.scores.image_ids[rows],
        labels=[
            _describe(subject, photo, int(index)) for photo, index in zip(photos, said, strict=True)
        ],
        arrows=arrows,
        text_colour=text_colour,
    )


def list_photos(subject: Subject, rows: NDArray[np.integer]) -> list[Photo]:
    """Return the photos of rows of the module's scores."""
    get_photo = subject.workspace.dataset.get_photo
    return [get_photo(image_id) for image_id in subject.scores.image_ids[rows].tolist()]


def place_photos(subject: Subject, choice: Choice, rows: NDArray[np.integer]) -> Projection:
    """Place photos by what each x-feature adds to the score, or by the network's scores."""
    scores = subject.scores
    return project((scores.contributions if choice.by == X_FEATURES else scores.logits)[rows])


def _describe(subject: Subject, photo: Photo, said: int) -> str:
    category = subject.workspace.dataset.categories[said]
    text = f"{format_category(photo.category)}, {name_photo(subject.workspace, photo).lower()}"
    taken = f"<br>taken for {html.escape(format_category(category))}"
    return html.escape(text) + ("" if category == photo.category else taken)


def _choose_colours(
    subject: Subject,
    choice: Choice,
    rows: NDArray[np.integer],
    photos: Sequence[Photo],
    said: NDArray[np.integer],
) -> list[PointGroup] | PointScale:
    if choice.colours == ACTIVATION:
        activations = subject.activations[rows].astype(np.float64)
        return PointScale(f"activation of {name_feature(subject.feature)}", activations)
    labels = np.array([photo.category_index for photo in photos])
    if choice.colours == RIGHT:
        is_right = said == labels
        return [
            PointGroup(f"{word}: {len(own):,}", own, colour, symbol)
            for word, own, colour, symbol in (
                ("right", np.flatnonzero(is_right), RAISING_COLOUR, "circle"),
                ("wrong", np.flatnonzero(~is_right), LOWERING_COLOUR, "x"),
            )
        ]
    return _group_by_species(subject, labels)


def _group_by_species(subject: Subject, labels: NDArray[np.integer]) -> list[PointGroup]:
    """Group points by species: the explained one on top, and those that it looks most like."""
    named = rank_species(subject)[:_MOST_SPECIES]
    names = [html.escape(format_category(name)) for name in subject.workspace.dataset.categories]
    others = PointGroup("other birds", np.flatnonzero(~np.isin(labels, named)), MODULE_COLOUR)
    groups = [
        PointGroup(names[index], np.flatnonzero(labels == index), compute_extra_colour(place))
        for place, index in enumerate(named)
    ]
    return [others, *groups[::-1]]


def rank_species(subject: Subject) -> list[int]:
    """Return all categories, the explained one first, then by the scores that its photos get."""
    own = subject.workspace.dataset.categories.index(subject.entry.category)
    means = subject.scores.logits[subject.scores.is_positive].mean(axis=0)
    order: list[int] = np.argsort(-means, kind="stable").tolist()
    return [own, *(index for index in order if index != own)]
