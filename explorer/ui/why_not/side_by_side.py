"""A photo under two categories side by side: why the one, and why not the other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer.data.cub import format_category
from explorer.explaining.why_not import describe_missed, match_x_features
from explorer.measuring.parts import PhotoParts
from explorer.measuring.records import ModuleMeasures
from explorer.methods.runs import get_default_module
from explorer.nn.explanation import Explanation
from explorer.render.numbers import format_number, format_signed
from explorer.ui.shared import cached, drawings, training_starter
from explorer.ui.shared.markdown import escape_markdown, format_contribution, format_small
from explorer.ui.shared.shown_photo import ShownPhoto
from explorer.ui.shared.state import MapStyle
from explorer.ui.shared.styles import load_page_style
from explorer.ui.shared.subject import escape_words, name_in_markdown, name_in_text
from explorer.ui.shared.unfolding import show_when_open
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace

SECTION = "why-not-section"
RIVAL = "rival"

_MOST_RIVALS = 5


def show_why_not(
    workspace: Workspace,
    entry: ModuleEntry,
    photo: ShownPhoto,
    style: MapStyle,
    truth: str | None = None,
) -> None:
    """Show a section with another category's x-features beside those of this one.

    Parameters
    ----------
    workspace : Workspace
        The workspace of the module.
    entry : ModuleEntry
        The module that explains the photo on this page.
    photo : ShownPhoto
        The photo.
    style : MapStyle
        How maps are drawn.
    truth : str, optional
        The photo's own category, as in ``classes.txt``, which is always offered.
    """
    load_page_style("why_not")
    show_when_open(
        "Why not another bird?",
        SECTION,
        lambda: _show_choice_and_sides(workspace, entry, photo, style, truth),
    )


def _show_choice_and_sides(
    workspace: Workspace,
    entry: ModuleEntry,
    photo: ShownPhoto,
    style: MapStyle,
    truth: str | None,
) -> None:
    own = photo.explain(workspace, entry, style.layer)
    rivals = list_rivals(workspace.dataset.categories, own.logits, entry.category, truth)
    if not rivals:
        return
    rival = st.selectbox("Why not …?", rivals, format_func=format_category, key=RIVAL)
    if rival not in rivals:
        rival = rivals[0]
    name = escape_markdown(format_category(rival))
    other_entry = get_default_module(workspace.list_modules(), rival)
    score = float(own.logits[workspace.dataset.categories.index(rival)])
    st.markdown(
        f"The network's score is **{format_number(score, 1)}** for {name} and "
        f"**{format_number(own.y_hat, 1)}** for "
        f"{escape_markdown(format_category(entry.category))}."
    )
    if other_entry is None:
        st.info(f"No module explains {name} yet, so that nothing tells what it misses here.")
        training_starter.show_for(workspace, rival)
        return
    with st.spinner("Tracing the other category's x-features …"):
        sides = [_load_side(workspace, one, photo, style) for one in (entry, other_entry)]
    other = sides[1]
    if other.usual:
        here = other.explanation.contributions.tolist()
        names = {n: f"*{escape_words(words)}*" for n, words in other.names.items()}
        st.markdown(describe_missed(name, here, other.usual, names))
    _show_tiles(workspace, sides, photo, style)


def list_rivals(
    categories: tuple[str, ...], logits: NDArray[np.float32], explained: str, truth: str | None
) -> list[str]:
    """List the other categories with the highest scores, the photo's own among them."""
    ranked = [categories[index] for index in np.argsort(-logits, kind="stable").tolist()]
    others = [name for name in ranked if name != explained]
    shown = others[:_MOST_RIVALS]
    if truth in others[_MOST_RIVALS:]:
        shown[-1] = str(truth)
    return shown


@dataclass(frozen=True, eq=False)
class _Side:
    """One category's explanation of the photo, with what is known of its module.

    Attributes
    ----------
    entry : ModuleEntry
        The module.
    explanation : Explanation
        Of the photo, by K x-features.
    names : Mapping of int to str
        Names of x-features, counted from 0.
    usual : sequence of float
        (K,), mean contributions on the category's own test photos; empty if not measured.
    heat : NDArray of float64
        (K, P + 1), share of each map on each part and beside the bird, on the photo where its parts
        are known, else the mean on the category's own test photos; zero if neither is known.
    """

    entry: ModuleEntry
    explanation: Explanation
    names: Mapping[int, str]
    usual: Sequence[float]
    heat: NDArray[np.float64]


def _load_side(
    workspace: Workspace, entry: ModuleEntry, photo: ShownPhoto, style: MapStyle
) -> _Side:
    explanation = photo.explain(workspace, entry, style.layer)
    names = cached.load_names(workspace, entry)
    measures = cached.load_measures_or_none(workspace, entry)
    if measures is not None and len(measures.test.mean_contribution) != len(explanation.maps):
        measures = None
    usual = () if measures is None else measures.test.mean_contribution
    heat = _find_heat(explanation, photo.likely_parts, measures)
    if heat is None:
        heat = np.zeros((len(explanation.maps), len(workspace.dataset.part_names) + 1))
    return _Side(entry, explanation, names, usual, heat)


def _find_heat(
    explanation: Explanation, parts: PhotoParts | None, measures: ModuleMeasures | None
) -> NDArray[np.float64] | None:
    if parts is not None:
        histogram = parts.measure(explanation.maps)
        return np.column_stack((histogram.values, histogram.outside))
    if measures is None:
        return None
    shares = np.asarray(measures.locality.test.histogram, np.float64)
    return np.column_stack((shares, 1 - shares.sum(axis=1)))


def _show_tiles(
    workspace: Workspace, sides: Sequence[_Side], photo: ShownPhoto, style: MapStyle
) -> None:
    own, other = sides
    sizes = own.explanation.contributions
    rows = match_x_features(own.heat, other.heat, own.names, other.names, sizes)
    with st.container(key="why-not-tiles"):
        for side in sides:
            name = escape_markdown(format_category(side.entry.category))
            st.markdown(f"**{name}**{format_small(_describe_sum(side.explanation))}")
        for number, row in enumerate(rows):
            for side, feature in ((own, row.own), (other, row.other)):
                place = f"{number}-{'own' if side is own else 'other'}"
                if feature is None:
                    st.container(key=f"why-not-tile-none-{place}").caption("No counterpart.")
                    continue
                picture = drawings.draw_tile(workspace, side.entry, photo, style, feature)
                _show_tile(side, feature, picture, place)
    st.caption(
        "X-features are paired by their names and by where on the bird they look; what has no "
        "counterpart stands alone. Each map is drawn at full strength."
    )


def _describe_sum(explanation: Explanation) -> str:
    total = f"module's score {format_number(explanation.y_bar, 1)}"
    if not explanation.base:
        return f"{total}, the sum of its x-features"
    added = format_number(float(explanation.contributions.sum()), 1)
    return f"{total}: {added} by its x-features, {format_number(explanation.base, 1)} without any"


def _show_tile(side: _Side, feature: int, picture: bytes, place: str) -> None:
    activation = float(side.explanation.x_features[feature])
    contribution = float(side.explanation.contributions[feature])
    category = format_category(side.entry.category)
    with st.container(key=f"why-not-tile-{'active' if activation else 'inactive'}-{place}"):
        st.image(
            picture,
            width="stretch",
            alt=f"Heatmap of {name_in_text(feature, side.names)} of {category}, contribution "
            f"{format_signed(contribution)}",
        )
        words = format_contribution(contribution, activation)
        title = name_in_markdown(feature, side.names)
        st.markdown(f"{title}<br>{words}", unsafe_allow_html=True)
