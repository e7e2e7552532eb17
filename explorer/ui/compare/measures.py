"""How faithful and how local the two explanations are."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer.analysis.agreement import compute_rank_agreement
from explorer.analysis.faithfulness import (
    FaithfulnessSummary,
    compute_f_reg,
    compute_faithfulness,
    compute_live_mask,
)
from explorer.analysis.locality import PartHistogram
from explorer.analysis.pairing import Pair
from explorer.data.names import count_words
from explorer.data.photo import Photo
from explorer.measuring.records import ConceptMeasures, LocalityMeasures
from explorer.measuring.summaries import measure_locality
from explorer.render.figures import render_part_histogram
from explorer.ui.compare import sources
from explorer.ui.compare.numbers import SideNumbers
from explorer.ui.compare.pairs import Both, get_index
from explorer.ui.compare.sides import Side
from explorer.ui.shared import cached, empty
from explorer.ui.shared.caching import cache_data, make_workspace_key
from explorer.ui.shared.figures import draw, show_figure
from explorer.ui.shared.markdown import escape_markdown, format_share
from explorer.ui.shared.progress import track
from explorer.ui.shared.words import HELP
from explorer.workspace.workspace import Workspace

_MEASURED = "compare_measured"


@dataclass(frozen=True)
class SideMeasures:
    """Measures of a side; None for what it does not have, or what has not been measured.

    Attributes
    ----------
    train, test : FaithfulnessSummary or None
        Of ȳ on the two sides of the split.
    live : tuple of bool or None
        (K,), activations with a contribution on at least one photo.
    locality : LocalityMeasures or None
        Of the K maps, on the category's own test photos.
    photo_count : int
        Number of these photos.
    concepts : ConceptMeasures or None
        Of a module: whether its x-features differ, on these photos.
    """

    train: FaithfulnessSummary | None = None
    test: FaithfulnessSummary | None = None
    live: tuple[bool, ...] | None = None
    locality: LocalityMeasures | None = None
    photo_count: int = 0
    concepts: ConceptMeasures | None = None


def measure_side(workspace: Workspace, numbers: SideNumbers) -> SideMeasures:
    """Load the measures of a module; compute those of a method without one."""
    side = numbers.side
    if side.entry is not None:
        found = cached.load_measures(workspace, side.entry)
        if found is None:
            return SideMeasures()
        train, test = found.train.faithfulness, found.test.faithfulness
        count = found.test.positives.count
        return SideMeasures(train, test, found.live, found.locality.test, count, found.concepts)
    photos = sources.make_case(workspace, side.category).test_photos
    live, locality = _find_live(numbers), None
    if workspace.dataset.has_photos:
        _measure_photos(workspace, side, photos)
        locality = _measure_locality(workspace, side.category, side.by, photos, live)
    # Without contributions, an activation is neither live nor dead.
    has_contributions = numbers.outputs is not None and numbers.outputs.contributions is not None
    return SideMeasures(
        train=_measure_faithfulness(numbers, numbers.split.train),
        test=_measure_faithfulness(numbers, numbers.split.test),
        live=live if has_contributions else None,
        locality=locality,
        photo_count=len(photos),
    )


def _find_live(numbers: SideNumbers) -> tuple[bool, ...]:
    outputs = numbers.outputs
    if outputs is None or outputs.contributions is None:
        return (True,) * len(numbers.names)
    known = _find_rows(numbers, numbers.split.train | numbers.split.test)
    return tuple(compute_live_mask(outputs.contributions[known]).tolist())


def _find_rows(numbers: SideNumbers, image_ids: frozenset[int]) -> NDArray[np.bool_]:
    return np.isin(numbers.image_ids, list(image_ids))


def _measure_faithfulness(
    numbers: SideNumbers, image_ids: frozenset[int]
) -> FaithfulnessSummary | None:
    if numbers.y_bar is None:
        return None
    rows = _find_rows(numbers, image_ids)
    return compute_faithfulness(numbers.y_bar[rows], numbers.y_hat[rows])


def _measure_photos(workspace: Workspace, side: Side, photos: Sequence[Photo]) -> None:
    """Measure a side photo by photo, with a bar the first time that this visitor asks for it."""
    seen = st.session_state.setdefault(_MEASURED, set())
    one = (*make_workspace_key(workspace), side.category, side.by)
    if one in seen:
        return
    for photo in track(photos, f"Measuring {side.title} part by part: photo"):
        _measure_photo(workspace, side.category, side.by, photo)
    seen.add(one)


@cache_data(1024)
def _measure_photo(workspace: Workspace, category: str, by: str, photo: Photo) -> PartHistogram:
    layer = sources.get_first_layer(workspace)
    maps = sources.draw_maps(workspace, category, by, photo, layer)
    return cached.load_parts(photo).measure(maps)


@cache_data(64)
def _measure_locality(
    workspace: Workspace, category: str, by: str, photos: Sequence[Photo], live: tuple[bool, ...]
) -> LocalityMeasures:
    histograms = [_measure_photo(workspace, category, by, photo) for photo in photos]
    return measure_locality(histograms, np.array(live))


def show_measures(workspace: Workspace, left: SideMeasures, right: SideMeasures) -> None:
    """Show the measures of both sides in one table."""
    if left == right == SideMeasures():
        empty.show_no_metrics(workspace)
        return
    cells = [_list_cells(left), _list_cells(right)]
    rows = [f"| {title} | {cells[0][title]} | {cells[1][title]} |" for title in cells[0]]
    st.markdown("\n".join(["| | Left | Right |", "|:--|--:|--:|", *rows]), help=HELP["f_reg"])
    counts = {measures.photo_count for measures in (left, right) if measures.locality is not None}
    if len(counts) == 1:
        on = f"the category's {counts.pop()} own test photos"
    else:
        on = f"each category's own test photos ({left.photo_count} left, {right.photo_count} right)"
    st.caption(
        "Lower is better, except for R², live x-features and the effective number. Mean errors and "
        "R² are over test or training photos of all categories. Locality and the three rows below "
        f"it are measured on {on}. An explanation that does not rebuild the score has no error, "
        "and only a module has an effective number, a top share and an overlap."
    )


def _list_cells(measures: SideMeasures) -> dict[str, str]:
    train, test, live = measures.train, measures.test, measures.live
    locality = None if measures.locality is None else measures.locality.mean_locality
    concepts = measures.concepts
    number = None if concepts is None else concepts.effective_number
    return {
        "Mean error, test": "–" if test is None else f"{test.f_reg:.3f}",
        "Mean error, training": "–" if train is None else f"{train.f_reg:.3f}",
        "Mean error in % of score range, test": format_share(
            None if test is None else test.relative_f_reg
        ),
        "R², test": format_share(None if test is None else test.r2),
        "Locality, test": "–" if locality is None else f"{locality:.2f}",
        "Effective number, test": "–" if number is None else f"{number:.1f}",
        "Top share, test": format_share(None if concepts is None else concepts.top_share),
        "Overlap of maps, test": format_share(None if concepts is None else concepts.overlap),
        "Live x-features": "–" if live is None else f"{sum(live)} of {len(live)}",
    }


def show_score_distance(both: Both, image_ids: Sequence[int], name: str) -> None:
    """Show the mean error of both sides on photos of one category, and how far they are apart."""
    left, right = both
    mine = np.isin(left.image_ids, image_ids)
    errors = [
        f"**{compute_f_reg(numbers.y_bar[mine], numbers.y_hat[mine]):.3f}** "
        f"on the {numbers.side.place}"
        for numbers in both
        if numbers.y_bar is not None
    ]
    is_same_score = left.side.category == right.side.category
    if left.y_bar is not None and right.y_bar is not None and is_same_score:
        distance = compute_f_reg(left.y_bar[mine], right.y_bar[mine])
        agreement = compute_rank_agreement(left.y_bar[mine], right.y_bar[mine])
        ranks = "" if agreement is None else f" (rank correlation {agreement:.2f})"
        errors.append(f"and the two rebuilt scores differ by **{distance:.3f}**{ranks}")
    if errors:
        photos = count_words(int(mine.sum()), "photo")
        st.markdown(
            f"Over the {photos} of {escape_markdown(name)} alone, "
            f"{_count_test_photos(both, image_ids)}, the mean error is {', '.join(errors)}."
        )


def _count_test_photos(both: Both, image_ids: Sequence[int]) -> str:
    """Say how many of some photos are test photos of the sides that rebuild a score."""
    tested = {
        numbers.side.place: numbers.split.test.intersection(image_ids)
        for numbers in both
        if numbers.y_bar is not None
    }
    if len(set(tested.values())) == 1:
        return f"{count_words(len(next(iter(tested.values()))), 'test photo')} among them"
    left, right = tested.values()
    return (
        f"{count_words(len(left), 'test photo')} of the left and {len(right)} of the right among "
        f"them ({len(left & right)} of both: each drew its own)"
    )


def show_histogram(
    workspace: Workspace, numbers: SideNumbers, measures: SideMeasures, pair: Pair | None
) -> None:
    """Show the share of one map of a side on each part, over its category's test photos."""
    side, measured = numbers.side, measures.locality
    index = 0 if numbers.outputs is None else None if pair is None else get_index(pair, side.place)
    if measured is None and side.entry is None:
        st.info(
            f"{side.place.capitalize()}: measuring where {side.title} looks needs the photos, "
            "which are not on this computer."
        )
        return
    if measured is None:
        empty.show_no_metrics(workspace)
        return
    if index is None or not measured.is_defined[index]:
        st.info(
            f"{side.place.capitalize()}: {side.title} has no x-feature here, or no heat on any "
            "test photo."
        )
        return
    name = numbers.names[index]
    shares = [min(max(share, 0.0), 1.0) for share in measured.histogram[index]]
    part_names = workspace.dataset.part_names
    figure = draw(
        render_part_histogram,
        shares,
        part_names,
        locality=measured.locality[index],
        title=f"{side.place.capitalize()}, {name}",
        by_value=False,
    )
    order = sorted(range(len(shares)), key=lambda part: -shares[part])[:3]
    highest = ", ".join(f"{part_names[part]} {shares[part]:.0%}" for part in order)
    show_figure(
        figure,
        f"Shares of the heat of {name} on each part; highest: {highest}",
        key=f"figure-compare-{side.place}",
        numbers={"part": list(part_names), "share": shares},
    )
