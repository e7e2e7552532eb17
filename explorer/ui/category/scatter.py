"""The module's score against the network's, a point a photo; of many photos, a part is drawn."""

import html
from functools import partial

import numpy as np
import plotly.graph_objects as go
import streamlit as st
from numpy.typing import ArrayLike, NDArray

from explorer.data.cub import format_category
from explorer.data.names import count_words
from explorer.render.scatter import render_scatter
from explorer.ui.category.summary import get_photo, make_columns
from explorer.ui.shared import caching, links, state
from explorer.ui.shared.caching import cache_resource
from explorer.ui.shared.figures import show_figure
from explorer.ui.shared.markdown import escape_markdown
from explorer.ui.shared.names import name_photo
from explorer.ui.shared.subject import Subject
from explorer.ui.shared.words import HELP

MOST_OTHERS = 2000
_LARGEST_ERRORS = 200


def show_scatter(subject: Subject) -> None:
    """Show ȳ against ŷ for every photo; a click on a point opens it on the Photo page."""
    scores, workspace = subject.scores, subject.workspace
    figure = _draw_scatter(subject, state.get_text_colour())
    error = np.abs(scores.y_bar - scores.y_hat)
    clicked = show_figure(
        figure,
        f"The network's score of {subject.category} across and the module's up, a point a photo; "
        f"on average they differ by {float(error.mean()):.2f}, at most by {float(error.max()):.2f}",
        key="figure-scatter",
        numbers=partial(make_columns, subject),
        is_clickable=workspace.dataset.has_photos,
    )
    st.caption(
        f"{_describe_points(subject)} On the dotted line the module copies the network exactly."
        + (" A click on a point opens its photo." if workspace.dataset.has_photos else ""),
        help=f"{HELP['y_hat']}\n\n{HELP['y_bar']}\n\n{HELP['error']}",
    )
    if clicked is not None:
        links.switch_to_photo(workspace, subject.entry, workspace.dataset.get_photo(int(clicked)))


def _describe_points(subject: Subject) -> str:
    own = int(subject.scores.is_positive.sum())
    others = len(subject.scores.image_ids) - own
    name = escape_markdown(subject.category)
    if others <= MOST_OTHERS:
        return f"{own + others:,} points, those of {name} larger."
    return (
        f"All {count_words(own, 'photo')} of {name}, larger, and {MOST_OTHERS:,} of the {others:,} "
        f"others: the {_LARGEST_ERRORS} with the largest errors, and the rest drawn by chance. The "
        "CSV has all."
    )


def choose_points(is_positive: ArrayLike, errors: ArrayLike) -> NDArray[np.intp]:
    """Choose the photos of which points are drawn.

    Parameters
    ----------
    is_positive : array_like, shape (M,), bool
        Photos of the module's category.
    errors : array_like, shape (M,), float
        ȳ − ŷ.

    Returns
    -------
    NDArray of intp
        Rows, ascending: all of the category, and of the others at most `MOST_OTHERS`. Where there
        are more, they are the 200 with the largest errors, and others drawn by chance, always the
        same.
    """
    own, sizes = np.asarray(is_positive, bool), np.abs(np.asarray(errors, np.float64))
    others = np.flatnonzero(~own)
    if len(others) > MOST_OTHERS:
        others = others[np.argsort(-sizes[others], kind="stable")]
        rest = np.random.default_rng(0).choice(
            others[_LARGEST_ERRORS:], MOST_OTHERS - _LARGEST_ERRORS, replace=False
        )
        others = np.concatenate([others[:_LARGEST_ERRORS], rest])
    return np.sort(np.concatenate([np.flatnonzero(own), others]))


def _make_subject_key(subject: Subject) -> caching.Key:
    image_ids = subject.scores.image_ids.tobytes()
    return (*caching.make_module_key(subject.workspace, subject.entry), image_ids)


@cache_resource(16, also={Subject: _make_subject_key})
def _draw_scatter(subject: Subject, text_colour: str) -> go.Figure:
    """Draw a point for every photo that `choose_points` chooses."""
    scores, workspace = subject.scores, subject.workspace
    rows = choose_points(scores.is_positive, scores.y_bar - scores.y_hat)
    photos = [get_photo(subject, row) for row in rows.tolist()]
    return render_scatter(
        scores.y_hat[rows],
        scores.y_bar[rows],
        is_positive=scores.is_positive[rows],
        sides=subject.sides[rows].tolist(),
        image_ids=scores.image_ids[rows],
        labels=[
            f"{html.escape(format_category(photo.category))}, "
            f"{name_photo(workspace, photo).lower()}"
            for photo in photos
        ],
        category=html.escape(subject.category),
        text_colour=text_colour,
    )
