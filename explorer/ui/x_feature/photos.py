"""Photos with the map of an x-feature: of highest or lowest activation, or random ones."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer.analysis.activation import draw_order
from explorer.analysis.faithfulness import compute_contribution_shares
from explorer.config import ExplorerError
from explorer.data.cub import format_category
from explorer.data.names import add_article, count_words
from explorer.data.photo import Photo
from explorer.explaining.naming import name_feature
from explorer.render.numbers import format_number, format_signed
from explorer.storage import packing
from explorer.ui.shared import drawings, state
from explorer.ui.shared.choices import choose_one
from explorer.ui.shared.errors import error_boundary
from explorer.ui.shared.gallery import Tile, show_gallery
from explorer.ui.shared.markdown import escape_markdown, format_contribution
from explorer.ui.shared.names import name_photo
from explorer.ui.shared.progress import track
from explorer.ui.shared.shown_photo import DatasetPhoto
from explorer.ui.shared.state import MapStyle
from explorer.ui.shared.subject import Subject
from explorer.ui.x_feature import summary

ORDER, AMONG, SIDE, DRAW = "photos_by", "photos_among", "photos_side", "photos_draw"
ACTIVATION, CONTRIBUTION = "highest activation", "highest contribution"
SHARE, LOWEST, RANDOM = "largest share", "lowest activation", "random"
ORDERS = (ACTIVATION, CONTRIBUTION, SHARE, LOWEST, RANDOM)
ALL_BIRDS, OWN_CATEGORY = "all birds", "its own category"
TEST, TRAIN, BOTH = "test", "training", "both"
_SIDES = {TEST: ("test",), TRAIN: ("train",), BOTH: ("test", "train")}
_SHOWN = 12
_LAST_DRAW = 9_999

_ORDER_HELP = (
    "The best photos alone flatter an x-feature. Look at the lowest and at photos drawn by chance "
    "too, before you say what it stands for."
)
_SHARE_HELP = "The size of this contribution as a share of all contributions to the photo."


@dataclass(frozen=True)
class Choice:
    """Which photos are shown.

    Attributes
    ----------
    order : str
        One of `ORDERS`.
    among : {"all birds", "its own category"}
        Of which birds.
    side : {"test", "training", "both"}
        Of which side of the split.
    draw : int
        Seed of the random choice.
    rows : tuple of int
        Rows of the module's scores, in the order in which they are shown.
    is_random : bool
        Whether the seed has any effect.
    count : int
        Number of photos to choose from.
    """

    order: str
    among: str
    side: str
    draw: int
    rows: tuple[int, ...]
    is_random: bool
    count: int

    @property
    def params(self) -> dict[str, str | int]:
        """The choice as parameters of the page's address."""
        chosen: dict[str, str | int] = {ORDER: self.order, AMONG: self.among, SIDE: self.side}
        return chosen | ({DRAW: self.draw} if self.is_random else {})


def choose_photos(subject: Subject) -> Choice:
    """Show the controls that choose photos, and return the choice."""
    order = choose_one(ORDER, ORDERS, "Photos by", "order of photos", _ORDER_HELP)
    with st.container(horizontal=True, vertical_alignment="bottom", key="x-feature-choice"):
        among = choose_one(AMONG, (ALL_BIRDS, OWN_CATEGORY), "Of which birds", "choice of birds")
        side = choose_one(SIDE, tuple(_SIDES), "Training or test photos", "side of the split")
        rows = find_rows(subject, among, side)
        values = compute_values(subject, order)[rows]
        is_random = has_ties_at_end(values, descending=order != LOWEST)
        draw = _choose_draw() if is_random else 1
    if not is_random:
        state.drop_param(DRAW)
    picked = draw_order(values, draw, descending=order != LOWEST)[:_SHOWN]
    shown = tuple(rows[picked].tolist())
    return Choice(order, among, side, draw, shown, is_random, len(rows))


def _choose_draw() -> int:
    asked = st.query_params.get(DRAW, "")
    is_known = asked.isascii() and asked.isdigit() and len(asked) < 6
    is_known = is_known and 1 <= int(asked) <= _LAST_DRAW
    state.check_param(DRAW, [asked] if is_known else [], "draw")
    draw = st.number_input(
        "Draw",
        1,
        _LAST_DRAW,
        1,
        key=DRAW,
        bind=state.BIND,
        width=110,
        help="The same number draws the same photos again.",
    )
    st.button("Draw again", icon=":material/casino:", on_click=_draw_again)
    return int(draw or 1)


def _draw_again() -> None:
    st.session_state[DRAW] = int(st.session_state.get(DRAW) or 1) % _LAST_DRAW + 1


def find_rows(subject: Subject, among: str, side: str) -> NDArray[np.int64]:
    """Return the rows of the module's scores to choose from."""
    is_chosen = np.isin(subject.sides, _SIDES[side])
    if among == OWN_CATEGORY:
        is_chosen &= subject.scores.is_positive
    rows: NDArray[np.int64] = np.flatnonzero(is_chosen)
    return rows


def compute_values(subject: Subject, order: str) -> NDArray[np.float64]:
    """Return the values that photos are sorted by, (M,); all equal for a random order."""
    if order == RANDOM:
        return np.zeros(len(subject.activations))
    if order == CONTRIBUTION:
        return subject.contributions
    if order == SHARE:
        shares: NDArray[np.float64] = compute_contribution_shares(subject.scores.contributions)
        return shares[:, subject.feature]
    return subject.activations.astype(np.float64)


def has_ties_at_end(values: NDArray[np.float64], *, descending: bool) -> bool:
    """Return whether photos with equal values compete for the last places."""
    ordered = np.sort(-values if descending else values)
    return len(ordered) > _SHOWN and bool(ordered[_SHOWN - 1] == ordered[_SHOWN])


def show_photos(subject: Subject, choice: Choice, style: MapStyle) -> None:
    """Show the chosen photos with the map of the x-feature, each with its numbers."""
    st.caption(
        describe_choice(subject, choice), help=_SHARE_HELP if choice.order == SHARE else None
    )
    if not choice.rows:
        st.info("There are no such photos. Choose the other side of the split, or all birds.")
        return
    tiles = []
    shares = compute_values(subject, SHARE)
    for row in track(choice.rows, "Drawing photo"):
        # If a photo cannot be read, the others are still shown.
        with error_boundary():
            tiles.append(_make_tile(subject, row, style, float(shares[row])))
    show_gallery(subject.workspace, subject.entry, tiles, "x-feature")
    if not subject.workspace.dataset.has_photos:
        return
    drawing = "smoothed for viewing only" if style.smooth else "drawn as the raw grid"
    st.caption(
        f"Maps of {subject.title}: c-MWP at {style.layer}, {drawing}. A map shows what speaks for "
        "the x-feature even on a photo on which it stays inactive, and adds nothing there."
    )


def describe_choice(subject: Subject, choice: Choice) -> str:
    """Describe in Markdown how the photos were chosen."""
    birds = "of all categories"
    if choice.among == OWN_CATEGORY:
        birds = f"of {escape_markdown(subject.category)}"
    side = {TEST: "test ", TRAIN: "training ", BOTH: ""}[choice.side]
    kind = f"painted {side}birds" if subject.workspace.is_painted else f"{side}photos"
    shown = f"{len(choice.rows)} of {choice.count:,} {kind} {birds}"
    if choice.order == RANDOM:
        return f"{shown}, drawn by chance whatever their activation."
    parts = [f"{shown}, {choice.order} first."]
    if choice.order == CONTRIBUTION:
        parts.append(_compare_orders(subject))
    if choice.is_random:
        values = compute_values(subject, choice.order)
        last = values[choice.rows[-1]]
        tied = int((values[find_rows(subject, choice.among, choice.side)] == last).sum())
        value = format_number(float(last))
        parts.append(f"{tied:,} have the same value {value}; among them chance decides.")
    return " ".join(parts)


def _compare_orders(subject: Subject) -> str:
    """Describe how the order by contribution relates to that by activation."""
    weight = summary.load_weights(subject.workspace, subject.entry)[subject.feature]
    if weight > 0:
        return "The weight is positive, so this is the order by activation too."
    if weight < 0:
        return "The weight is negative, so these are the photos of the lowest activation."
    return "The weight is 0, so no photo has a contribution."


def _make_tile(subject: Subject, row: int, style: MapStyle, share: float) -> Tile:
    workspace, entry = subject.workspace, subject.entry
    photo = _get_photo(subject, row)
    activation, contribution = _get_numbers(subject, row)
    category = format_category(photo.category)
    plain = escape_markdown(category)
    words = format_contribution(contribution, activation)
    lines = [
        f"**{plain}**" if photo.category == entry.category else plain,
        f"activation {activation:.2f}",
        words if activation == 0 else f"contribution {words}",
    ]
    if activation > 0:
        lines.append(f":gray[{share:.0%} of all contributions]")
    name = name_feature(subject.feature)
    return Tile(
        photo,
        drawings.draw_photo_tile(workspace, entry, photo, style, subject.feature, is_alone=True),
        alt=(
            f"Heatmap of {name} over {name_photo(workspace, photo).lower()}, "
            f"{add_article(category)}; activation {activation:.2f}, "
            f"contribution {format_signed(contribution)}"
        ),
        text="  \n".join(lines),
        params={state.FEATURE: name},
    )


def _get_photo(subject: Subject, row: int) -> Photo:
    return subject.workspace.dataset.get_photo(int(subject.scores.image_ids[row]))


def _get_numbers(subject: Subject, row: int) -> tuple[float, float]:
    """Return activation and contribution, with −0.0 turned into 0.0."""
    return float(subject.activations[row]), float(subject.contributions[row]) + 0.0


def show_pack(subject: Subject, choice: Choice, style: MapStyle) -> None:
    """Offer the shown pictures as a ZIP, drawn on request."""
    if not choice.rows or not subject.workspace.dataset.has_photos:
        return
    st.download_button(
        f"These {count_words(len(choice.rows), 'picture')} (ZIP)",
        data=partial(make_pack, subject, choice, style),
        file_name=f"{summary.make_stem(subject)}_{packing.make_stem(choice.order)}.zip",
        mime="application/zip",
        icon=":material/folder_zip:",
        on_click="ignore",
        key="download-pictures",
        help="Pictures as PNG without loss, with their numbers as CSV.",
    )


def make_pack(subject: Subject, choice: Choice, style: MapStyle) -> bytes:
    """Pack the shown pictures as lossless PNGs, with their numbers, in a ZIP.

    A photo that cannot be read has no picture, and its column ``file`` is empty.
    """
    files: dict[str, bytes] = {}
    columns: Mapping[str, list[object]] = {
        name: []
        for name in ("file", "image_id", "category", "side", "activation", "contribution", "share")
    }
    shares = compute_values(subject, SHARE)
    for place, row in enumerate(choice.rows, start=1):
        photo = _get_photo(subject, row)
        file = f"{place:02d}_id{photo.image_id}.png"
        picture = _draw_or_none(subject, photo, style)
        if picture is not None:
            files[file] = picture
        activation, contribution = _get_numbers(subject, row)
        values = (
            file if picture is not None else "",
            photo.image_id,
            photo.category,
            str(subject.sides[row]),
            activation,
            contribution,
            float(shares[row]),
        )
        for column, value in zip(columns.values(), values, strict=True):
            column.append(value)
    return packing.make_zip({"numbers.csv": packing.make_csv(columns), **files})


def _draw_or_none(subject: Subject, photo: Photo, style: MapStyle) -> bytes | None:
    try:
        return drawings.draw_overlay_png(
            subject.workspace, subject.entry, DatasetPhoto(photo), style, subject.feature
        )
    except ExplorerError:
        return None
