"""Two explanations side by side on the same photos."""

from collections.abc import Sequence

import streamlit as st

from explorer.analysis.pairing import Pair
from explorer.config import ExplorerError
from explorer.data.names import name_categories
from explorer.ui.compare import choosing, files, maps, measures, pairs, sources
from explorer.ui.compare.difference import describe_difference
from explorer.ui.compare.measures import SideMeasures
from explorer.ui.compare.numbers import load_numbers
from explorer.ui.compare.pairs import Both
from explorer.ui.compare.sides import Side
from explorer.ui.shared import links
from explorer.ui.shared.empty import show_no_photos
from explorer.ui.shared.errors import REPAIR, error_boundary, explain_error
from explorer.ui.shared.map_controls import show_map_controls
from explorer.ui.shared.opening import open_selection_or_say_why
from explorer.ui.shared.progress import track
from explorer.ui.shared.state import Selection
from explorer.ui.shared.styles import load_page_style
from explorer.workspace.workspace import Workspace


def show_page() -> None:
    """Show the choice of both explanations, then the comparison."""
    opened = open_selection_or_say_why()
    if opened is None:
        return
    workspace, selection = opened
    load_page_style("compare")
    st.title("Two explanations, side by side", anchor=False)
    st.markdown(
        "Do two methods, or two seeds, look at the same places? And what speaks for one category "
        "and against another? Compare two explanations on the same photos."
    )
    sides = choosing.choose_sides(workspace, selection)
    are_ready = [prepare_side(workspace, side) for side in sides]
    if all(are_ready):
        show_comparison(workspace, selection, sides)


def prepare_side(workspace: Workspace, side: Side) -> bool:
    """Prepare what explains a side; return whether it can be used, and say why if it cannot."""
    try:
        if side.entry is not None:
            with st.spinner("Loading the network …"):
                workspace.networks.load_module(side.entry)
        else:
            with st.spinner(f"Preparing {side.title} …"):
                sources.prepare(workspace, side)
    except ExplorerError as error:
        message = explain_error(error)
        st.error(
            f"On the {side.place}: {message} Choose another explanation there.",
            icon=":material/error:",
        )
        return False
    return True


def show_comparison(workspace: Workspace, selection: Selection, sides: tuple[Side, Side]) -> None:
    """Show measures, pairs, photos and parts of two explanations that can be used."""
    left, right = sides
    st.markdown(describe_difference(workspace, left, right))
    style = show_map_controls(list(workspace.networks.backbone.stops))
    top = st.container()
    st.header("On the same photos", anchor=False)
    both = load_numbers(workspace, left), load_numbers(workspace, right)
    paired = pairs.list_pairs(*both)
    category, photos, shown = maps.choose_photos(workspace, both)
    category_name = name_categories(workspace.dataset.categories)[category]

    measured = None
    with top, error_boundary():
        st.header("In numbers", anchor=False)
        measured = show_numbers(workspace, both, paired)
    with top, error_boundary():
        measures.show_score_distance(both, [photo.image_id for photo in photos], category_name)

    if workspace.dataset.has_photos:
        for photo in track(shown, "Drawing photo"):
            with error_boundary():
                maps.show_row(workspace, photo, both, paired, style)
        maps.show_drawing_note(left, right, style)
    else:
        show_no_photos(workspace, "Maps, and some of the numbers, need them.")
    pair = None if measured is None else show_parts(workspace, both, paired, measured)

    st.header("Download and share", anchor=False)
    files.show_files(workspace, both, paired, photos=photos, shown=shown, style=style)
    links.show_link(
        {
            **links.make_module_params(workspace, selection.entry),
            **choosing.make_params(left, right),
            choosing.PHOTOS_OF: category_name,
            choosing.PAGE: maps.get_page(),
            **pairs.make_params(paired, pair, both),
            **links.make_style_params(style),
        }
    )


def show_numbers(
    workspace: Workspace, both: Both, paired: Sequence[Pair]
) -> tuple[SideMeasures, SideMeasures]:
    """Show the measures of both sides, beside the pairs; return the measures."""
    left, right = both
    one, other = (measures.measure_side(workspace, numbers) for numbers in both)
    columns = st.columns(2, gap="large")
    with columns[0]:
        measures.show_measures(workspace, one, other)
    with columns[1]:
        if left.outputs is not None and right.outputs is not None:
            pairs.show_matching(paired, both)
    return one, other


def show_parts(
    workspace: Workspace,
    both: Both,
    paired: Sequence[Pair],
    measured: tuple[SideMeasures, SideMeasures],
) -> Pair | None:
    """Show where one map of each side is on the bird; return the chosen pair."""
    if all(one.locality is None for one in measured):
        return None
    st.header("On which parts they look", anchor=False)
    pair = pairs.choose_pair(paired, both)
    for column, numbers, one in zip(st.columns(2, gap="large"), both, measured, strict=True):
        with column:
            measures.show_histogram(workspace, numbers, one, pair)
    return pair


with error_boundary("Choose another explanation.", repair=REPAIR):
    show_page()
