"""Photos of a category, or of all categories, sorted by a score and split into pages."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer.data.cub import format_category
from explorer.data.names import add_article
from explorer.explaining.naming import name_feature
from explorer.render.numbers import format_number, format_signed
from explorer.ui.category.summary import get_photo
from explorer.ui.shared import cached, choices, drawings, gallery, state
from explorer.ui.shared.errors import error_boundary
from explorer.ui.shared.gallery import Tile
from explorer.ui.shared.markdown import escape_markdown
from explorer.ui.shared.names import name_photo
from explorer.ui.shared.progress import track
from explorer.ui.shared.state import MapStyle
from explorer.ui.shared.subject import Subject

SORT, END, SIDE, WHOSE = "sort", "first", "side", "whose"
PICTURES, PAGE = "pictures", state.PHOTO_PAGE
Y_HAT, ERROR, ACTIVATION, MARGIN = "score", "error", "activation", "margin"
ORDERS = (Y_HAT, ERROR, ACTIVATION, MARGIN)
HIGHEST, LOWEST = "highest first", "lowest first"
TEST, TRAIN, ALL = "test", "training", "all"
OWN, EVERY = "its own category", "all birds"
PLAIN, HEATMAP = "photo", "heatmap"
PHOTOS_A_PAGE = 24
_ROWS_AT_ONCE = 4096

_SIDES = {TEST: ("test",), TRAIN: ("train",), ALL: ("test", "train", "unused")}
_SORT_HELP = (
    "By the network's score, by how far the module is off, by the activation of the x-feature "
    "that is chosen above, or by the margin of the category's score over the next best one: where "
    "it is negative, the network takes the bird for another."
)


@dataclass(frozen=True)
class Choice:
    """Which photos are shown, and how.

    Attributes
    ----------
    sort : str
        One of `ORDERS`.
    end : {"highest first", "lowest first"}
        Which end of the order comes first.
    side : {"test", "training", "all"}
        Of which side of the split.
    whose : {"its own category", "all birds"}
        Of which birds.
    pictures : {"photo", "heatmap"}
        The plain photo, or the chosen x-feature's map over it.
    """

    sort: str
    end: str
    side: str
    whose: str
    pictures: str

    @property
    def params(self) -> dict[str, str | int]:
        """The choice as parameters of the page's address."""
        return {
            SORT: self.sort,
            END: self.end,
            SIDE: self.side,
            WHOSE: self.whose,
            PICTURES: self.pictures,
            PAGE: st.session_state.get(PAGE, 1),
        }


def choose_photos(*, has_photos: bool) -> Choice:
    """Show the controls that choose photos, and return the choice."""
    choose = partial(choices.choose_one, on_change=partial(choices.show_first_page, PAGE))
    with st.container(horizontal=True, vertical_alignment="bottom", key="category-choice"):
        sort = choose(SORT, ORDERS, "Photos by", "order of photos", _SORT_HELP)
        end = choose(END, (HIGHEST, LOWEST), "Order", "end of the order")
        side = choose(SIDE, tuple(_SIDES), "Training or test photos", "side of the split")
        whose = choose(WHOSE, (OWN, EVERY), "Of which birds", "choice of birds")
        pictures = PLAIN
        if has_photos:
            options = (PLAIN, HEATMAP)
            pictures = choices.choose_one(PICTURES, options, "Shown as", "kind of picture")
    return Choice(sort, end, side, whose, pictures)


def compute_values(subject: Subject, sort: str) -> NDArray[np.float64]:
    """Return the values that photos are sorted by, (M,), signed."""
    scores = subject.scores
    if sort == ERROR:
        errors: NDArray[np.float64] = np.abs(scores.y_bar.astype(np.float64) - scores.y_hat)
        return errors
    if sort == ACTIVATION:
        return subject.activations.astype(np.float64)
    if sort == MARGIN:
        index = subject.workspace.dataset.categories.index(subject.entry.category)
        margins: NDArray[np.float64] = scores.y_hat - _find_best_others(scores.logits, index)
        return margins
    return scores.y_hat.astype(np.float64)


def _find_best_others(logits: NDArray[np.float32], index: int) -> NDArray[np.float64]:
    """Return the highest score of another category for each photo; -inf if there is no other.

    The scores of many photos may be larger than the memory, so they are read a few at a time.
    """
    best = np.empty(len(logits))
    for start in range(0, len(logits), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        best[rows] = np.delete(logits[rows], index, axis=1).max(axis=1, initial=-np.inf)
    return best


def sort_rows(subject: Subject, choice: Choice, values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the rows of the chosen photos, sorted; ties keep the order of the data set.

    Parameters
    ----------
    subject : Subject
        The module and x-feature of the page.
    choice : Choice
        Which photos are shown.
    values : NDArray of float64
        From `compute_values`.
    """
    is_chosen = np.isin(subject.sides, _SIDES[choice.side])
    if choice.whose == OWN:
        is_chosen &= subject.scores.is_positive
    rows = np.flatnonzero(is_chosen)
    chosen = values[rows]
    order: NDArray[np.int64] = rows[
        np.argsort(-chosen if choice.end == HIGHEST else chosen, kind="stable")
    ]
    return order


def show_photos(subject: Subject, choice: Choice, style: MapStyle) -> None:
    """Show one page of the chosen photos, each with the scores of network and module."""
    values = compute_values(subject, choice.sort)
    rows = sort_rows(subject, choice, values)
    places = choices.choose_page(PAGE, len(rows), PHOTOS_A_PAGE, "page of photos")
    if not len(rows):
        st.info("There are no such photos. Choose another side of the split, or all birds.")
        return
    shown = rows[places.start : places.stop].tolist()
    kind = "painted birds" if subject.workspace.is_painted else "photos"
    st.caption(f"{places.start + 1}–{places.stop} of {len(rows):,} {kind}.")
    tiles = []
    for row in track(shown, "Drawing photo") if choice.pictures == HEATMAP else shown:
        # If a photo cannot be read, the others are still shown.
        with error_boundary():
            tiles.append(_make_tile(subject, row, choice, style, float(values[row])))
    gallery.show_gallery(subject.workspace, subject.entry, tiles, "category")


def _make_tile(subject: Subject, row: int, choice: Choice, style: MapStyle, value: float) -> Tile:
    workspace, scores = subject.workspace, subject.scores
    photo = get_photo(subject, row)
    name, what = name_photo(workspace, photo), format_category(photo.category)
    kind = add_article(what)
    if choice.pictures == HEATMAP:
        picture = drawings.draw_photo_tile(workspace, subject.entry, photo, style, subject.feature)
        alt = f"Heatmap of {name_feature(subject.feature)} over {name.lower()}, {kind}"
    else:
        picture, alt = cached.load_thumbnail_or_none(workspace, photo), f"{name}, {kind}"
    y_hat, y_bar = float(scores.y_hat[row]), float(scores.y_bar[row])
    lines = [
        f"network {format_number(y_hat)} · module {format_number(y_bar)}",
        f":gray[{_describe_order(subject, row, choice, value)}]",
    ]
    said = workspace.dataset.categories[int(scores.logits[row].argmax())]
    if photo.category != subject.entry.category:
        lines.insert(0, escape_markdown(what))
    if said != photo.category:
        lines.append(f":red[taken for {escape_markdown(format_category(said))}]")
    return Tile(
        photo,
        picture,
        alt,
        text="  \n".join(lines),
        params={state.FEATURE: name_feature(subject.feature)},
    )


def _describe_order(subject: Subject, row: int, choice: Choice, value: float) -> str:
    side = {"test": "test", "train": "training", "unused": "unused"}[str(subject.sides[row])]
    if choice.sort == ACTIVATION:
        return f"{side}, activation {value:.2f}"
    if choice.sort == MARGIN:
        return f"{side}, margin {format_signed(value)}"
    error = abs(float(subject.scores.y_bar[row]) - float(subject.scores.y_hat[row]))
    return f"{side}, error {error:.2f}"
