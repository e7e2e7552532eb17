"""Photos with the maps of both explanations beside each other."""

from collections.abc import Sequence
from functools import partial

import streamlit as st

from explorer.analysis.pairing import Pair
from explorer.data.cub import format_category
from explorer.data.names import add_article, name_categories
from explorer.data.photo import Photo
from explorer.render.numbers import format_number, format_signed
from explorer.ui.compare import sources
from explorer.ui.compare.choosing import PAGE, PHOTOS_OF
from explorer.ui.compare.numbers import Outputs, SideNumbers
from explorer.ui.compare.pairs import Both, get_index, name_pair
from explorer.ui.compare.sides import Side
from explorer.ui.shared import choices, drawings, links, pictures, state, verdicts
from explorer.ui.shared.drawings import Overlays
from explorer.ui.shared.markdown import escape_markdown, format_small
from explorer.ui.shared.names import name_photo
from explorer.ui.shared.shown_photo import DatasetPhoto
from explorer.ui.shared.splits import sort_photos
from explorer.ui.shared.state import MapStyle
from explorer.ui.shared.windows import find_known_window
from explorer.ui.shared.words import HELP
from explorer.workspace.workspace import Workspace

PHOTOS_A_PAGE = 4
_SCALES = {
    state.FADED: "each fades with its share of the score",
    state.OWN_SCALE: "own scale for each map",
    state.SHARED_SCALE: "one scale for all maps of a side",
}
_SIDES = {"test": "test photo", "train": "training photo", "unused": "unused photo"}


def choose_photos(workspace: Workspace, both: Both) -> tuple[str, list[Photo], list[Photo]]:
    """Show the choice of photos; return their category, all of them, and those of this page.

    Where there are no photos, no page has any.
    """
    left, right = both
    names = name_categories(workspace.dataset.categories)
    others = [name for name in names if name != left.side.category]
    state.check_param(PHOTOS_OF, names.values(), "category of photos")
    state.discard_unknown_choice(PHOTOS_OF, names)
    with st.container(horizontal=True, key="compare-photos", vertical_alignment="bottom"):
        category = st.selectbox(
            "Photos of",
            [left.side.category, *others],
            format_func=lambda name: names.get(name, name),
            key=PHOTOS_OF,
            bind=state.BIND,
            help=HELP["photos_of"],
            width=280,
            on_change=partial(choices.show_first_page, PAGE),
        )
        leading = right if left.side.is_whole and not right.side.is_whole else left
        photos = sort_photos(workspace.dataset.photos_of(category), leading.split)
        if not workspace.dataset.has_photos:
            return category, photos, []
        shown = choices.choose_page(PAGE, len(photos), PHOTOS_A_PAGE, "page of photos")
    return category, photos, photos[shown.start : shown.stop]


def get_page() -> int:
    """Return the page of photos that is shown, counted from 1."""
    return int(st.session_state.get(PAGE, 1))


def show_row(
    workspace: Workspace, photo: Photo, both: Both, pairs: Sequence[Pair], style: MapStyle
) -> None:
    """Show one photo with the maps of both sides, paired maps at the same place."""
    left, _ = both
    with st.container(key=f"compare-row-{photo.image_id}"):
        columns = st.columns([3, 5, 5], gap="medium")
        with columns[0]:
            facts = st.container(gap="xsmall")
        with facts:
            _show_photo(workspace, photo, both, style)
        for column, numbers in zip(columns[1:], both, strict=True):
            with column:
                _show_side(workspace, photo, numbers, pairs, style)
        with facts:
            _describe_split(photo, both)
            logits = left.logits[left.get_row(photo.image_id)]
            verdicts.show_verdict(logits, workspace.dataset.categories, photo.category)


def _show_photo(workspace: Workspace, photo: Photo, both: Both, style: MapStyle) -> None:
    """Show the photo, which is a link to its own page where a side has a module."""
    left, right = both
    name, what = name_photo(workspace, photo), add_article(format_category(photo.category))
    entry = left.side.entry or right.side.entry
    shown = DatasetPhoto(photo)
    window = find_known_window(shown, is_cropped=style.is_cropped)
    with st.container(key=f"compare-photo-{photo.image_id}", gap="xsmall"):
        st.image(
            drawings.draw_photo(shown, window, pictures.MIDDLE_SIDE, has_box=not style.is_cropped),
            width="stretch",
            alt=f"{name}, {what}",
        )
        if entry is None:
            st.caption(name)
            return
        links.show_photo_link(workspace, entry, photo, escape_markdown(name))


def _describe_split(photo: Photo, both: Both) -> None:
    """Say which sides were fitted to a photo."""
    one, other = (_SIDES[numbers.split.name_side(photo.image_id)] for numbers in both)
    st.caption(one.capitalize() if one == other else f"Left: {one}. Right: {other}.")


def _show_side(
    workspace: Workspace,
    photo: Photo,
    numbers: SideNumbers,
    pairs: Sequence[Pair],
    style: MapStyle,
) -> None:
    side, row = numbers.side, numbers.get_row(photo.image_id)
    st.markdown(
        f"**{side.place.capitalize()}:** {escape_markdown(side.category_name)}, "
        f"{escape_markdown(side.title)}"
    )
    outputs = numbers.outputs
    contributions = None if outputs is None else outputs.contributions
    overlays = sources.draw_tiles(
        workspace, side, photo, style, None if contributions is None else contributions[row]
    )
    if numbers.outputs is None:
        _show_whole(overlays, side, f"{side.place}-{photo.image_id}")
    else:
        _show_maps(workspace, photo, overlays, numbers, pairs)
    _show_scores(numbers, row)


def _show_whole(overlays: Overlays, side: Side, place: str) -> None:
    with st.container(key=f"compare-whole-{place}"):
        st.image(
            overlays.images[0],
            width="stretch",
            alt=f"{side.title} of the score of {side.category_name} over the photo"
            + overlays.describe_heat(0),
        )
        if not overlays.tops[0]:
            st.caption("No heat: this map is zero everywhere.")
        elif rest := overlays.describe_rest(0):
            st.caption(f"{rest}.")


def _show_maps(
    workspace: Workspace,
    photo: Photo,
    overlays: Overlays,
    numbers: SideNumbers,
    pairs: Sequence[Pair],
) -> None:
    """Show the maps of a side in the order of the pairs; those of a module open its photo."""
    outputs, side, row = numbers.outputs, numbers.side, numbers.get_row(photo.image_id)
    if outputs is None:
        return
    place = f"{side.place}-{photo.image_id}"
    with st.container(key=f"compare-maps-{place}"):
        for slot, pair in enumerate(pairs):
            index = get_index(pair, side.place)
            is_inactive = index is not None and outputs.activations[row, index] == 0
            looks = "inactive" if is_inactive else "active"
            with st.container(key=f"compare-map-{looks}-{place}-{slot}", gap=None):
                pair_name = name_pair(pairs, slot)
                if index is None:
                    st.caption(f"{pair_name}: no partner")
                    continue
                title = (f"**{pair_name}** " if pair_name else "") + outputs.get_title(index)
                words, shown = _describe_map(outputs, row, index)
                heat, rest = overlays.describe_heat(index), overlays.describe_rest(index)
                small = format_small(rest)
                alt = f"Heatmap of {outputs.names[index]} over the photo, {words}{heat}"
                st.image(overlays.images[index], width="stretch", alt=alt)
                if side.entry is None:
                    st.markdown(f"{title}  \n{shown}{heat}{small}")
                else:
                    links.show_photo_link(
                        workspace, side.entry, photo, title, feature=index, icon=None
                    )
                    st.markdown(f"{shown}{heat}{small}")


def _describe_map(outputs: Outputs, row: int, index: int) -> tuple[str, str]:
    """Return a map's number for screen readers, and in Markdown."""
    activation = float(outputs.activations[row, index])
    if outputs.contributions is None:
        number = format_number(activation)
        words, shown = f"activation {number}", f":gray[{number}]"
    else:
        contribution = float(outputs.contributions[row, index])
        words = f"contribution {format_signed(contribution)}"
        colour = "blue" if contribution >= 0 else "orange"
        shown = f":{colour}[**{format_signed(contribution)}**]"
    return words, ":gray[inactive]" if activation == 0 else shown


def _show_scores(numbers: SideNumbers, row: int) -> None:
    y_hat, y_bar = float(numbers.y_hat[row]), numbers.y_bar
    if y_bar is None:
        st.caption(f"Network's score {format_number(y_hat)}", help=HELP["y_hat"])
    elif numbers.side.entry is not None:
        verdicts.show_scores(y_hat, float(y_bar[row]))
    else:
        error = abs(float(y_bar[row]) - y_hat)
        st.caption(
            f"Network's score {format_number(y_hat)} · probe's {format_number(float(y_bar[row]))} "
            f"· error {format_number(error)}",
            help=f"{HELP['y_hat']}\n\nThe score of a probe is a constant plus its "
            "contributions. A contribution is a component times its weight; both can be negative.",
        )


def show_drawing_note(left: Side, right: Side, style: MapStyle) -> None:
    """Say what the maps are and how they are drawn."""
    scale = _SCALES[style.scale]
    drawing = "smoothed for the eye alone" if style.smooth else "drawn as the raw grid"
    one, other = (side.describe_maps(style.layer) for side in (left, right))
    kinds = one if one == other else f"{one} on the left and {other} on the right"
    st.caption(f"Maps are {kinds}; {scale}; {drawing}.", help=HELP["c-MWP"])
