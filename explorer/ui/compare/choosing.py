"""The two explanations that are compared: how they are chosen, and what tells them apart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer.methods.registry import find_method
from explorer.methods.runs import format_run, sort_modules
from explorer.ui.shared import cached, scores, state
from explorer.ui.shared.cached import SplitSides
from explorer.ui.shared.components import escape_markdown
from explorer.ui.shared.names import name_categories
from explorer.ui.shared.state import Selection
from explorer.ui.shared.words import HELP
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace

LEFT, RIGHT = "left", "right"
PLACES = (LEFT, RIGHT)
PAGE, PAIR = "compare_page", "pair"
SCORE, GRADIENT = "excitation-bp", "grad-cam"
_TITLES = {SCORE: "ExcitationBP", GRADIENT: "Grad-CAM"}
_NAMES = {"x_features": "x-features", "pull_away": "pull-away"}
_SEEN = "compare_sidebar"

BY_HELP = (
    "A module splits the score into x-features. ExcitationBP and Grad-CAM draw the network's score "
    "as a whole, in one map, with no module in between."
)


@dataclass(frozen=True)
class Side:
    """One of two explanations.

    Attributes
    ----------
    place : str
        `LEFT` or `RIGHT`.
    category : str
        Whose score is explained, as in ``classes.txt``.
    category_name : str
        As it is shown.
    method : str
        A run, `SCORE` or `GRADIENT`.
    entry : ModuleEntry or None
        The module; None for the score as a whole.
    """

    place: str
    category: str
    category_name: str
    method: str
    entry: ModuleEntry | None

    @property
    def title(self) -> str:
        """What explains, such as ``SRAE, 5 x-features, seed 0``."""
        return name_method(self.method)


def name_method(method: str) -> str:
    """Name a run, or what draws a score as a whole, as it is shown."""
    return _TITLES.get(method) or format_run(method)


def _key(place: str, what: str) -> str:
    return f"{place}_{what}"


def choose_sides(workspace: Workspace, selection: Selection) -> tuple[Side, Side]:
    """Show the choice of both explanations, and return them, the left one first."""
    entries = sort_modules(workspace.list_modules())
    own, other = selection.entry, _find_other(entries, selection.entry)
    _follow_sidebar(workspace, own, other)
    left_column, middle, right_column = st.columns(
        [10, 3, 10], vertical_alignment="center", gap="small"
    )
    with left_column:
        left = _choose_side(workspace, entries, LEFT, own.category, own.run)
    if left.entry is not None:
        other = _find_other(entries, left.entry)
    with right_column:
        right = _choose_side(workspace, entries, RIGHT, left.category, other)
    middle.button(
        "Swap",
        icon=":material/swap_horiz:",
        key="compare-swap",
        width="stretch",
        help="Put the left one to the right, and the right one to the left.",
        on_click=_swap,
    )
    return left, right


def _find_other(entries: Sequence[ModuleEntry], entry: ModuleEntry) -> str:
    """Return what stands against a module at first: another of its category, or the score."""
    runs = [e.run for e in entries if e.category == entry.category and e.run != entry.run]
    return runs[0] if runs else SCORE


def _follow_sidebar(workspace: Workspace, own: ModuleEntry, other: str) -> None:
    """Begin anew where another module has been chosen in the sidebar since the last time."""
    chosen = (str(workspace.path), own.category, own.run)
    seen = st.session_state.get(_SEEN)
    st.session_state[_SEEN] = chosen
    if seen in (None, chosen) or _key(LEFT, "category") not in st.session_state:
        return
    for place, method in ((LEFT, own.run), (RIGHT, other)):
        st.session_state[_key(place, "category")] = own.category
        st.session_state[_key(place, "by")] = method
    st.session_state[state.PHOTOS_OF] = own.category
    st.session_state[PAGE] = 1


def _choose_side(
    workspace: Workspace,
    entries: Sequence[ModuleEntry],
    place: str,
    usual_category: str,
    usual_method: str,
) -> Side:
    names = name_categories(workspace.dataset.categories)
    category_key, by_key = _key(place, "category"), _key(place, "by")
    others = [name for name in names if name != usual_category]
    state.check_param(category_key, names.values(), f"category on the {place}")
    _keep_among(category_key, [usual_category, *others])
    with st.container(border=True, key=f"compare-{place}"):
        category = st.selectbox(
            f"{place.capitalize()}: score of",
            [usual_category, *others],
            format_func=lambda name: names.get(name, name),
            key=category_key,
            bind=state.BIND,
            help=HELP["category"],
            on_change=_follow_left if place == LEFT else None,
        )
        runs = {entry.run: entry for entry in entries if entry.category == category}
        methods = sorted([*runs, SCORE, GRADIENT], key=lambda method: method != usual_method)
        state.check_param(by_key, map(name_method, methods), f"explanation on the {place}")
        _keep_among(by_key, methods)
        method = st.selectbox(
            f"{place.capitalize()}: explained by",
            methods,
            format_func=name_method,
            key=by_key,
            bind=state.BIND,
            help=BY_HELP,
        )
    return Side(place, category, names[category], method, runs.get(method))


def _keep_among(key: str, options: Sequence[str]) -> None:
    """Drop a choice that is no longer there."""
    if key in st.session_state and st.session_state[key] not in options:
        st.session_state[key] = options[0]


def _follow_left() -> None:
    """Show photos of the bird that is newly chosen on the left."""
    st.session_state[state.PHOTOS_OF] = st.session_state[_key(LEFT, "category")]
    st.session_state[PAGE] = 1


def _swap() -> None:
    for what in ("category", "by"):
        one, other = _key(LEFT, what), _key(RIGHT, what)
        values = st.session_state[one], st.session_state[other]
        st.session_state[other], st.session_state[one] = values


def make_params(left: Side, right: Side) -> dict[str, str]:
    """Return what chooses both explanations in this page's address."""
    return {
        _key(side.place, what): value
        for side in (left, right)
        for what, value in (("category", side.category_name), ("by", side.title))
    }


def load_sides_of_split(workspace: Workspace, side: Side) -> SplitSides:
    """Return which photos a side has learnt from; without a module, which the network has."""
    if side.entry is not None:
        return cached.load_split(workspace, side.entry)
    held_out = frozenset(photo.image_id for photo in workspace.held_out)
    known = frozenset(photo.image_id for photo in workspace.dataset.photos) - held_out
    return SplitSides(known, held_out)


@dataclass(frozen=True, eq=False)
class SideNumbers:
    """What a side says of M photos; a side without a module has ŷ alone.

    Attributes
    ----------
    image_ids : NDArray of int64
        (M,).
    is_positive : NDArray of bool
        (M,), photos of the side's category.
    y_hat : NDArray of float32
        (M,), the network's score of the side's category.
    y_bar : NDArray of float32 or None
        (M,).
    x_features : NDArray of float32 or None
        (M, K), >= 0.
    contributions : NDArray of float64 or None
        (M, K), signed.
    """

    image_ids: NDArray[np.int64]
    is_positive: NDArray[np.bool_]
    y_hat: NDArray[np.float32]
    y_bar: NDArray[np.float32] | None = None
    x_features: NDArray[np.float32] | None = None
    contributions: NDArray[np.float64] | None = None


def load_numbers(workspace: Workspace, side: Side) -> SideNumbers:
    """Load what a side says of every photo of the data set."""
    if side.entry is None:
        features = scores.load_features(workspace)
        index = workspace.dataset.categories.index(side.category)
        own = [photo.image_id for photo in workspace.dataset.photos_of(side.category)]
        is_positive = np.isin(features.image_ids, own)
        return SideNumbers(features.image_ids, is_positive, np.array(features.logits[:, index]))
    found = scores.score_module(workspace, side.entry)
    return SideNumbers(
        image_ids=found.image_ids,
        is_positive=found.is_positive,
        y_hat=found.y_hat,
        y_bar=found.y_bar,
        x_features=found.x_features,
        contributions=found.contributions,
    )


def describe_difference(workspace: Workspace, left: Side, right: Side) -> str:
    """Say in a sentence or two, in Markdown, what tells two explanations apart."""
    names = [f"**{escape_markdown(side.category_name)}**" for side in (left, right)]
    if (left.category, left.method) == (right.category, right.method):
        return "Left and right are the same. Choose another explanation on one side."
    scores_of = (
        f"Both explain the score of {names[0]}."
        if left.category == right.category
        else f"They explain two scores of the same network: {names[0]} left, {names[1]} right."
    )
    if left.entry is not None and right.entry is not None:
        return f"{scores_of} {_describe_settings(workspace, left.entry, right.entry)}"
    wholes = [side for side in (left, right) if side.entry is None]
    if len(wholes) == 1:
        whole = wholes[0]
        split_place = LEFT if whole.place == RIGHT else RIGHT
        return (
            f"{scores_of} The {split_place} one splits it into x-features by a module; "
            f"{whole.title} on the {whole.place} draws it as a whole, in one map."
        )
    how = (
        f"{left.title} draws both as a whole."
        if left.method == right.method
        else f"{left.title} and {right.title} each draw it as a whole, in one map."
    )
    return f"{scores_of} {how}"


def _describe_settings(workspace: Workspace, left: ModuleEntry, right: ModuleEntry) -> str:
    one, other = (workspace.load_record(entry) for entry in (left, right))
    # What only one of two methods has goes without saying; only some trainings have a patience.
    values = {
        name: (_read_setting(one.settings, name), _read_setting(other.settings, name))
        for name in one.settings
        if name in other.settings
    } | {
        name: (_read_setting(one.training, name), _read_setting(other.training, name))
        for name in one.training | other.training
    }
    differing = [
        f"{_NAMES.get(name, name.replace('_', ' '))} ({_format(mine)} and {_format(theirs)})"
        for name, (mine, theirs) in values.items()
        if mine != theirs
    ]
    if not differing:
        return "Method, settings and seed are the same."
    return f"They differ in {', '.join(differing)}."


def _read_setting(settings: Mapping[str, Any], name: str) -> object:
    """Return a setting as it is in a module's file, but a method by its title."""
    value = settings.get(name)
    method = find_method(value) if name == "method" and isinstance(value, str) else None
    return value if method is None else method.title


def _format(value: object) -> str:
    if isinstance(value, list | tuple):
        return escape_markdown(" × ".join(map(str, value)))
    return "none" if value is None else escape_markdown(str(value))
