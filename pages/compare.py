"""Two explanations side by side on the same photos."""

from typing import TYPE_CHECKING

import streamlit as st

from explorer.config import ExplorerError
from explorer.ui.compare import choosing, compare_files, compare_maps, compare_measures
from explorer.ui.compare.choosing import Side, SideNumbers
from explorer.ui.shared import components, empty, links, state
from explorer.ui.shared.names import name_categories
from explorer.ui.sidebar import sidebar
from explorer.workspace.workspace import Workspace

if TYPE_CHECKING:
    from explorer.analysis.pairing import Pair
    from explorer.ui.shared.state import Selection


def show_page() -> None:
    """Show both choices, then what they say."""
    opened = empty.open_selection_or_say_why()
    if opened is None:
        return
    workspace, selection = opened
    components.load_page_style("compare")
    st.title("Two explanations, side by side", anchor=False)
    st.markdown(
        "See where two methods, two seeds or two categories agree on the same photos: why a "
        "Finch, and why not a Warbler."
    )
    sides = choosing.choose_sides(workspace, selection)
    if check_modules(workspace, sides):
        show_comparison(workspace, selection, sides)


def check_modules(workspace: Workspace, sides: tuple[Side, Side]) -> bool:
    """Tell whether both modules can be used, and say so once where one cannot."""
    is_usable = True
    with st.spinner("Loading the network …"):
        for side in sides:
            try:
                if side.entry is not None:
                    workspace.networks.load_module(side.entry)
            except ExplorerError as error:
                message = components.explain_error(error)
                st.error(
                    f"On the {side.place}: {message} Choose another explanation there.",
                    icon=":material/error:",
                )
                is_usable = False
    return is_usable


def show_comparison(workspace: Workspace, selection: "Selection", sides: tuple[Side, Side]) -> None:
    """Show measures, pairs, photos and parts of two explanations that can be used."""
    left, right = sides
    st.markdown(choosing.describe_difference(workspace, left, right))
    style = sidebar.show_map_controls(list(workspace.networks.backbone.stops))
    top = st.container()
    st.header("On the same photos", anchor=False)
    category, photos, shown = compare_maps.choose_photos(workspace, left, right)

    numbers: tuple[SideNumbers, SideNumbers] | None = None
    pairs = list_pairs_by_number(workspace, left, right)
    measures = None
    with top, components.error_boundary():
        st.header("In numbers", anchor=False)
        layer = next(iter(workspace.networks.backbone.stops))
        one, other = (compare_measures.measure_side(workspace, side, layer) for side in sides)
        measures = (one, other)
        columns = st.columns(2, gap="large")
        with columns[0]:
            compare_measures.show_measures(workspace, one, other)
        with columns[1]:
            numbers = (
                choosing.load_numbers(workspace, left),
                choosing.load_numbers(workspace, right),
            )
            pairs = compare_measures.list_pairs(*numbers)
            if left.entry is not None and right.entry is not None:
                compare_measures.show_matching(pairs)
        compare_measures.show_score_distance(
            *numbers,
            [photo.image_id for photo in photos],
            name_categories(workspace.dataset.categories)[category],
            same_score=left.category == right.category,
        )

    for photo in components.track(shown, "Drawing photo"):
        with components.error_boundary():
            compare_maps.show_row(workspace, photo, sides, pairs, style)
    compare_maps.show_drawing_note(left, right, style)

    pair = None
    if measures is not None and any(measured.is_measured for measured in measures):
        st.header("Where they look, part by part", anchor=False)
        pair = compare_measures.choose_pair(pairs)
        for column, side, measured in zip(st.columns(2, gap="large"), sides, measures, strict=True):
            with column:
                compare_measures.show_histogram(workspace, side, measured, pair)

    st.header("Take it along", anchor=False)
    compare_files.show_files(
        workspace,
        sides,
        numbers=numbers,
        pairs=pairs,
        photos=photos,
        shown=shown,
        style=style,
    )
    category_names = name_categories(workspace.dataset.categories)
    links.show_link(
        {
            **links.make_module_params(workspace, selection.entry),
            **choosing.make_params(left, right),
            state.PHOTOS_OF: category_names[category],
            choosing.PAGE: compare_maps.get_page(),
            **compare_measures.make_pair_params(pairs, pair),
            **links.make_style_params(style),
        }
    )


def list_pairs_by_number(workspace: Workspace, left: Side, right: Side) -> "tuple[Pair, ...]":
    """Return the x-features of both sides in their own order."""
    counts = [
        0
        if side.entry is None
        else workspace.networks.load_module(side.entry)[0].settings.x_features
        for side in (left, right)
    ]
    return compare_measures.list_unpaired(*counts)


with components.error_boundary("Choose another explanation, or mend it and reload."):
    show_page()
