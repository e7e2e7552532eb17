"""Which birds the network takes for which, on photos that it has not learnt from."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer.analysis.confusion import (
    Confusion,
    choose_most_confused,
    count_answers,
    list_confusions,
)
from explorer.config import ExplorerError
from explorer.data.names import count_words, name_categories
from explorer.methods.runs import get_default_module
from explorer.render.confusion import EMPTY, render_confusion
from explorer.ui.shared import cached, choices, scores, state
from explorer.ui.shared.caching import cache_data
from explorer.ui.shared.errors import error_boundary, explain_error
from explorer.ui.shared.figures import draw, show_figure
from explorer.ui.shared.gallery import Tile, show_gallery
from explorer.ui.shared.markdown import escape_markdown
from explorer.ui.shared.names import name_photo
from explorer.workspace.features import Features
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace

CELL, PAGE = "confusion", "confusion_page"
PHOTOS_A_PAGE = 24
_MOST_DRAWN = 24  # categories; in a larger matrix, numbers cannot be read
_TABLE = "confusion-table"
_SHARE = "share of its photos"


@dataclass(frozen=True, eq=False)
class Answers:
    """What the network says of the held-out photos.

    Attributes
    ----------
    image_ids, labels, said : NDArray of int64
        (M,), id, index of the category that is shown, and of the one that was named.
    table : NDArray of int64
        (C, C), number of photos; row: shown, column: named.
    """

    image_ids: NDArray[np.int64]
    labels: NDArray[np.int64]
    said: NDArray[np.int64]
    table: NDArray[np.int64]

    def find_photos(self, truth: int, said: int) -> list[int]:
        """Return the ids of the photos of a cell."""
        found: list[int] = self.image_ids[(self.labels == truth) & (self.said == said)].tolist()
        return found


@cache_data(4)
def collect_answers(workspace: Workspace, features: Features) -> Answers:
    """Collect what the network says of the held-out photos."""
    held_out = [photo.image_id for photo in workspace.held_out]
    rows = np.flatnonzero(np.isin(features.image_ids, held_out))
    ids = features.image_ids[rows]
    labels = np.array(
        [workspace.dataset.get_photo(image_id).category_index for image_id in ids.tolist()],
        np.int64,
    )
    said = features.logits[rows].argmax(axis=1).astype(np.int64)
    table = count_answers(labels, said, len(workspace.dataset.categories))
    return Answers(ids, labels, said, table)


def show_confusions(workspace: Workspace) -> dict[str, str | int]:
    """Show what the network confuses, as a matrix and a table, and the photos of one cell.

    Returns
    -------
    dict
        The chosen cell, as parameters of the page's address.
    """
    st.header("Which birds it confuses", anchor=False)
    if not workspace.settings.classifier_sha256:
        st.caption("There is no network yet.")
        return {}
    try:
        with st.spinner("Loading the network …"):
            answers = collect_answers(workspace, scores.load_features(workspace))
    except ExplorerError as error:
        st.caption(explain_error(error))
        return {}
    if not len(answers.image_ids):
        st.caption("All photos were used for training, so none can show what it confuses.")
        return {}
    found = list_confusions(answers.table)
    names = [*name_categories(workspace.dataset.categories).values()]
    st.markdown(_describe(answers, found, names))
    left, right = st.columns([7, 5], gap="large")
    with left:
        _show_matrix(answers, names)
        if found:
            _show_table(found, names)
    with right:
        return _show_photos(workspace, answers, found, names)


def _describe(answers: Answers, found: Sequence[Confusion], names: Sequence[str]) -> str:
    total, wrong = len(answers.image_ids), sum(one.count for one in found)
    if not found:
        return f"The network names all {total:,} held-out photos correctly."
    first = found[0]
    shown, said = escape_markdown(names[first.truth]), escape_markdown(names[first.said])
    return (
        f"Of {total:,} held-out photos, the network misnames {wrong:,}. Its most common "
        f"mistake: **{shown}** taken for **{said}**, {first.count} of "
        f"{answers.table[first.truth].sum()}."
    )


def _show_matrix(answers: Answers, names: Sequence[str]) -> None:
    chosen = choose_most_confused(answers.table, _MOST_DRAWN)
    if not len(chosen):
        return
    table = answers.table[np.ix_(chosen, chosen)]
    right = int(np.trace(table))
    figure = draw(
        render_confusion,
        table,
        answers.table.sum(axis=1)[chosen],
        [names[index] for index in chosen],
    )
    show_figure(
        figure,
        f"Confusion matrix of {len(chosen)} categories: "
        f"{count_words(right, 'photo')} named correctly, "
        f"{int(table.sum()) - right} taken for another of them",
        key="figure-confusion",
        numbers=partial(_list_cells, answers, names),
        on_click=partial(_choose_cell, chosen.tolist(), len(names)),
    )
    st.caption(
        (
            f"The {len(chosen)} categories with the most common mistakes, of {len(names)}. "
            if len(chosen) < len(names)
            else ""
        )
        + "A row is what photos show, a column what the network says. Blue is right, orange is "
        "wrong; the stronger, the larger the share of the row. A click on a cell shows its photos."
    )


def _choose_cell(chosen: Sequence[int], categories: int, cell: int) -> None:
    if cell == EMPTY:
        return
    row, column = divmod(int(cell), len(chosen))
    _choose(chosen[row] * categories + chosen[column])


def _choose(code: int) -> None:
    st.session_state[CELL] = code
    choices.show_first_page(PAGE)


def _list_cells(answers: Answers, names: Sequence[str]) -> dict[str, list[object]]:
    cells = np.argwhere(answers.table).tolist()
    return {
        "shown": [names[truth] for truth, _ in cells],
        "taken for": [names[said] for _, said in cells],
        "photos": [int(answers.table[truth, said]) for truth, said in cells],
        "of": [int(answers.table[truth].sum()) for truth, _ in cells],
    }


def _show_table(found: Sequence[Confusion], names: Sequence[str]) -> None:
    st.dataframe(
        {
            "shown": [names[one.truth] for one in found],
            "taken for": [names[one.said] for one in found],
            "photos": [one.count for one in found],
            _SHARE: [100 * one.share for one in found],
        },
        column_config={_SHARE: st.column_config.NumberColumn(format="%.0f%%")},
        hide_index=True,
        height=min(38 + 35 * len(found), 300),
        on_select=partial(_choose_row, found, len(names)),
        selection_mode="single-row",
        key=_TABLE,
    )
    st.caption("All mistakes. A click on a heading sorts them; tick one to see its photos.")


def _choose_row(found: Sequence[Confusion], categories: int) -> None:
    rows = st.session_state[_TABLE]["selection"]["rows"]
    if rows:
        one = found[rows[0]]
        _choose(one.truth * categories + one.said)


def _show_photos(
    workspace: Workspace, answers: Answers, found: Sequence[Confusion], names: Sequence[str]
) -> dict[str, str | int]:
    """Show the photos of the chosen cell; return it as parameters of the address."""
    truth, said = _choose_from_list(answers, found, names)
    photos = [*map(workspace.dataset.get_photo, answers.find_photos(truth, said))]
    places = choices.choose_page(PAGE, len(photos), PHOTOS_A_PAGE, "page of photos")
    entry, tiles = _choose_module(workspace, truth, said), []
    for photo in photos[places.start : places.stop]:
        # If a photo cannot be read, the others are still shown.
        with error_boundary():
            picture = cached.load_thumbnail_or_none(workspace, photo)
            alt = f"{name_photo(workspace, photo)}: {names[truth]}"
            tiles.append(Tile(photo, picture, alt, text=""))
    if not workspace.dataset.has_photos:
        st.caption("The photos are not on this computer; numbers are those of the data set.")
    show_gallery(workspace, entry, tiles, "confusion")
    page = st.session_state.get(PAGE, 1)
    return {CELL: _name_cell(truth, said, names), PAGE: page}


def _choose_module(workspace: Workspace, truth: int, said: int) -> ModuleEntry | None:
    """Return the module that tells why the network says so, or why not the bird, or the chosen."""
    entries, categories = workspace.list_modules(), workspace.dataset.categories
    found = (get_default_module(entries, categories[index]) for index in (said, truth))
    selection = state.get_selection()
    chosen = None if selection is None else selection.entry
    return next(filter(None, found), chosen)


def _choose_from_list(
    answers: Answers, found: Sequence[Confusion], names: Sequence[str]
) -> tuple[int, int]:
    """Let the user choose a cell by name, the most common mistakes first; return it."""
    count = len(names)
    codes = [one.truth * count + one.said for one in found]
    codes += [n * count + n for n in np.flatnonzero(np.diag(answers.table)).tolist()]
    labels = {code: _name_cell(*divmod(code, count), names) for code in codes}
    state.check_param(CELL, labels.values(), "confusion")
    state.discard_unknown_choice(CELL, codes)
    code = st.selectbox(
        "Photos of",
        codes,
        format_func=lambda code: labels.get(code, str(code)),
        key=CELL,
        bind=state.BIND,
        width=480,
        on_change=partial(choices.show_first_page, PAGE),
    )
    truth, said = divmod(code, count)
    return truth, said


def _name_cell(truth: int, said: int, names: Sequence[str]) -> str:
    outcome = "named correctly" if truth == said else f"taken for {names[said]}"
    return f"{names[truth]}, {outcome}"
