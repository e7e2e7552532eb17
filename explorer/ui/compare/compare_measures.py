"""Two explanations in figures: how faithful, how local, how alike."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st

from explorer.analysis.agreement import compute_rank_agreement
from explorer.analysis.faithfulness import compute_f_reg
from explorer.analysis.pairing import Pair, pair_x_features
from explorer.config import ExplorerError
from explorer.data.photo import Photo
from explorer.measuring.records import LocalityMeasures, ModuleMeasures
from explorer.measuring.summaries import measure_locality
from explorer.methods.runs import get_usual_module
from explorer.render.figures import render_part_histogram
from explorer.ui.compare.choosing import LEFT, PAIR, Side, SideNumbers
from explorer.ui.compare.compare_maps import load_maps, name_pair
from explorer.ui.shared import cached, components, empty, state
from explorer.ui.shared.caching import cache_data
from explorer.ui.shared.components import format_share
from explorer.ui.shared.heatmaps import name_feature
from explorer.ui.shared.words import HELP
from explorer.workspace.workspace import Workspace

_WELL, _PARTLY = 0.8, 0.5


@dataclass(frozen=True)
class SideMeasures:
    """What has been measured of a side.

    Attributes
    ----------
    metrics : ModuleMeasures or None
        Of a module; None where it has not been measured, or there is no module.
    whole : LocalityMeasures or None
        Of the one map of a side without a module.
    photo_count : int
        Test photos that locality was measured on.
    """

    metrics: ModuleMeasures | None
    whole: LocalityMeasures | None
    photo_count: int

    @property
    def is_measured(self) -> bool:
        """Whether there is anything to show."""
        return self.metrics is not None or self.whole is not None


def measure_side(workspace: Workspace, side: Side, layer: str) -> SideMeasures:
    """Read the measures of a module; measure the maps of a score as a whole."""
    if side.entry is not None:
        metrics = cached.load_measures(workspace, side.entry)
        count = 0 if metrics is None else metrics.test.positives.count
        return SideMeasures(metrics, None, count)
    photos = _list_test_photos(workspace, side.category)
    with st.spinner(f"Measuring {side.title} part by part …"):
        summary = _measure_whole(workspace, side, photos, layer)
    return SideMeasures(None, summary, len(photos))


def _list_test_photos(workspace: Workspace, category: str) -> "tuple[Photo, ...]":
    """List the photos that a module of the category is tested on, or else the held-out ones."""
    entry = get_usual_module(workspace.list_modules(), category)
    test = frozenset(photo.image_id for photo in workspace.held_out)
    if entry is not None:
        # A module that cannot be read is told where it is chosen.
        with contextlib.suppress(ExplorerError):
            test = cached.load_split(workspace, entry).test
    return tuple(p for p in workspace.dataset.photos_of(category) if p.image_id in test)


@cache_data(64)
def _measure_whole(
    workspace: Workspace, side: Side, photos: Sequence[Photo], layer: str
) -> LocalityMeasures | None:
    measured = [
        cached.load_parts(photo).measure(load_maps(workspace, side, photo, layer))
        for photo in photos
    ]
    return measure_locality(measured, np.ones(1, dtype=bool)) if measured else None


def show_measures(workspace: Workspace, left: SideMeasures, right: SideMeasures) -> None:
    """Show the measures of both sides in one table."""
    if not left.is_measured and not right.is_measured:
        empty.show_no_metrics(workspace)
        return
    rows = [
        (f"| {title} | {_cell(left, measure)} | {_cell(right, measure)} |")
        for title, measure in (
            ("F_reg, test", "f_reg_test"),
            ("F_reg, train", "f_reg_train"),
            ("of range, test", "relative"),
            ("R², test", "r2"),
            ("Locality, test", "locality"),
            ("x-features live", "live"),
        )
    ]
    st.markdown("\n".join(["| | Left | Right |", "|:--|--:|--:|", *rows]), help=HELP["f_reg"])
    counts = {measures.photo_count for measures in (left, right) if measures.is_measured}
    if len(counts) == 1:
        on = f"the category's {counts.pop()} own test photos"
    else:
        on = f"each category's own test photos ({left.photo_count} left, {right.photo_count} right)"
    st.caption(
        f"Smaller is better, but for R² and live x-features. Locality is measured on {on}. A score "
        "drawn as a whole has no module, so there is no ȳ to be faithful."
    )


def _cell(measures: SideMeasures, measure: str) -> str:
    if measures.whole is not None and measure == "locality":
        value = measures.whole.mean_locality
        return "–" if value is None else f"{value:.2f}"
    metrics = measures.metrics
    if metrics is None:
        return "–"
    train, test = metrics.train.faithfulness, metrics.test.faithfulness
    locality, live = metrics.locality.test.mean_locality, metrics.live
    cells = {
        "f_reg_test": f"{test.f_reg:.3f}",
        "f_reg_train": f"{train.f_reg:.3f}",
        "relative": format_share(test.relative_f_reg),
        "r2": format_share(test.r2),
        "locality": "–" if locality is None else f"{locality:.2f}",
        "live": f"{sum(live)} of {len(live)}",
    }
    return cells[measure]


def list_pairs(left: SideNumbers, right: SideNumbers) -> tuple[Pair, ...]:
    """Pair the x-features of both sides over all photos; those of one side where only it has any.

    Nothing is paired where neither side has x-features.
    """
    if left.x_features is None or left.contributions is None:
        if right.x_features is None or right.contributions is None:
            return ()
        alone = list_pairs(right, left)
        return tuple(Pair(None, pair.left, None) for pair in alone)
    other = left.x_features[:, :0] if right.x_features is None else right.x_features
    return pair_x_features(left.x_features, other, left.contributions[left.is_positive])


def list_unpaired(left_count: int, right_count: int) -> tuple[Pair, ...]:
    """Put x-features beside each other by their numbers, where they cannot be matched."""
    return tuple(
        Pair(k if k < left_count else None, k if k < right_count else None, None)
        for k in range(max(left_count, right_count))
    )


def show_score_distance(
    left: SideNumbers, right: SideNumbers, image_ids: Sequence[int], name: str, *, same_score: bool
) -> None:
    """Say how far ȳ is from ŷ on both sides, and ȳ from ȳ, on photos of one category."""
    mine = np.isin(left.image_ids, image_ids)
    sentences = []
    for place, side in (("Left", left), ("Right", right)):
        if side.y_bar is not None:
            error = compute_f_reg(side.y_bar[mine], side.y_hat[mine])
            sentences.append(f"{place}: |ȳ − ŷ| is **{error:.3f}** on average.")
    if left.y_bar is not None and right.y_bar is not None and same_score:
        distance = compute_f_reg(left.y_bar[mine], right.y_bar[mine])
        agreement = compute_rank_agreement(left.y_bar[mine], right.y_bar[mine])
        ranks = "" if agreement is None else f"; their ranks agree by {agreement:.2f}"
        sentences.append(f"The two ȳ are **{distance:.3f}** apart{ranks}.")
    if sentences:
        place_name = components.escape_markdown(name)
        count = int(mine.sum())
        st.markdown(f"On all {count} photos of {place_name}: " + " ".join(sentences))


def show_matching(pairs: Sequence[Pair]) -> None:
    """Show which x-features are paired, and how well."""
    lines = [
        f"| **{name_pair(pairs, slot)}** | {_name(pair.left)} | {_name(pair.right)} "
        f"| {_describe_match(pair.correlation)} |"
        for slot, pair in enumerate(pairs)
    ]
    st.markdown(
        "\n".join(["| | Left | Right | Match |", "|:--|:--|:--|:--|", *lines]),
        help="Correlation of the two activations over all photos of the data set: 1 where they "
        "rise and fall together, 0 where they have nothing in common.",
    )


def _name(feature: int | None) -> str:
    return "–" if feature is None else name_feature(feature)


def _describe_match(correlation: float | None) -> str:
    if correlation is None:
        return "no partner"
    word = "well" if correlation >= _WELL else "partly" if correlation >= _PARTLY else "hardly"
    return f"{word}, r = {correlation:.2f}".replace("-", "−")


def choose_pair(pairs: Sequence[Pair]) -> Pair | None:
    """Let a pair be chosen, and return it; None where there is none."""
    if not pairs:
        return None
    labels = [_label(pairs, slot) for slot in range(len(pairs))]
    state.check_param(PAIR, labels, "pair of x-features")
    if st.session_state.get(PAIR, 0) not in range(len(pairs)):
        st.session_state[PAIR] = 0
    slot = st.segmented_control(
        "Pair to look at" if name_pair(pairs, 0) else "x-feature to look at",
        list(range(len(pairs))),
        default=0,
        required=True,
        format_func=lambda slot: labels[slot] if slot < len(labels) else str(slot),
        key=PAIR,
        bind=state.BIND,
    )
    return pairs[slot or 0]


def _label(pairs: Sequence[Pair], slot: int) -> str:
    letter = name_pair(pairs, slot)
    left, right = pairs[slot].left, pairs[slot].right
    return letter or name_feature(left if left is not None else right or 0)


def make_pair_params(pairs: Sequence[Pair], pair: Pair | None) -> dict[str, str]:
    """Return what chooses a pair in the address."""
    return {} if pair is None else {PAIR: _label(pairs, list(pairs).index(pair))}


def show_histogram(
    workspace: Workspace, side: Side, measures: SideMeasures, pair: Pair | None
) -> None:
    """Show on which parts one map of a side lies over its category's test photos."""
    found = _find_histogram(side, measures, pair)
    title = f"{side.place.capitalize()}: {side.title}"
    if side.entry is not None and measures.metrics is None:
        empty.show_no_metrics(workspace)
        return
    if found is None:
        st.info(f"{title} has nothing to show here: no x-feature, or no heat on any test photo.")
        return
    shares, locality, name = found
    part_names = workspace.dataset.part_names
    figure = render_part_histogram(
        shares,
        part_names,
        locality=locality,
        title=f"{side.place.capitalize()}, {name}",
        by_value=False,
        text_colour=state.get_text_colour(),
    )
    order = sorted(range(len(shares)), key=lambda part: -shares[part])[:3]
    highest = ", ".join(f"{part_names[part]} {shares[part]:.0%}" for part in order)
    components.show_figure(
        figure,
        f"Shares of the heat of {name} on each part; highest: {highest}",
        key=f"figure-compare-{side.place}",
        numbers={"part": list(part_names), "share": shares},
    )


def _find_histogram(
    side: Side, measures: SideMeasures, pair: Pair | None
) -> tuple[list[float], float | None, str] | None:
    """Return shares of parts, locality and a name; None where there is nothing to show."""
    if measures.whole is not None:
        whole = measures.whole
        shares = [float(share) for share in whole.histogram[0]]
        return (shares, whole.locality[0], side.title) if whole.is_defined[0] else None
    feature = None if pair is None else pair.left if side.place == LEFT else pair.right
    if measures.metrics is None or feature is None:
        return None
    measured = measures.metrics.locality.test
    if not measured.is_defined[feature]:
        return None
    shares = [min(max(share, 0.0), 1.0) for share in measured.histogram[feature]]
    return shares, measured.locality[feature], name_feature(feature)
