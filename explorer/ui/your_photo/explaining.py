"""Why the network says what it says of a visitor's photo: a module's x-features and the score."""

import shlex

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer.data.cub import format_category
from explorer.methods.runs import format_run, sort_modules
from explorer.nn.explanation import Explanation
from explorer.ui.shared import caching, drawings, heatmaps, state
from explorer.ui.shared.caching import Key
from explorer.ui.shared.components import escape_markdown
from explorer.ui.shared.drawings import Overlays
from explorer.ui.shared.names import name_categories
from explorer.ui.shared.pictures import LARGE_SIDE, TILE_SIDE
from explorer.ui.shared.state import MapStyle
from explorer.ui.shared.words import HELP
from explorer.ui.sidebar import sidebar
from explorer.ui.your_photo.own_photo import OwnPhoto
from explorer.ui.your_photo.verdict import ask
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace

EXPLAINED = "explained"
EXPLAINED_RUN = "explained_run"

_LAST_SHOWN = "your_photo_last_shown"


def choose_module(
    workspace: Workspace, photo: OwnPhoto, entries: tuple[ModuleEntry, ...]
) -> ModuleEntry:
    """Let one of the categories that have a module be chosen, the highest score first."""
    categories = workspace.dataset.categories
    with_module = {entry.category for entry in entries}
    order = [categories[index] for index in ask(workspace, photo).order]
    options = [category for category in order if category in with_module]
    names = name_categories(options)
    shown = (str(workspace.path), photo.digest)
    if st.session_state.get(_LAST_SHOWN, shown) != shown:
        st.session_state[EXPLAINED] = options[0]
    st.session_state[_LAST_SHOWN] = shown
    state.check_param(EXPLAINED, names.values(), "explained category")
    chosen = state.get_selection()
    with st.container(horizontal=True, vertical_alignment="bottom", key="picker"):
        category = st.selectbox(
            "Explain the score of",
            options,
            format_func=lambda name: names.get(name, name),
            key=EXPLAINED,
            bind=state.BIND,
            width=300,
            help=(
                "The categories that have a module, the highest score first. The choice in the "
                "sidebar is for the other pages."
            ),
        )
        runs = {entry.run: entry for entry in sort_modules(entries) if entry.category == category}
        run = next(iter(runs))
        state.check_param(EXPLAINED_RUN, map(format_run, runs), "module")
        if len(runs) > 1:
            run = st.selectbox(
                "Module",
                list(runs),
                format_func=format_run,
                key=EXPLAINED_RUN,
                bind=state.BIND,
                help=HELP["run"],
                width=300,
            )
        else:
            state.drop_param(EXPLAINED_RUN)
        if chosen is not None and chosen.entry.category not in (category, options[0]):
            st.button(
                f"{escape_markdown(chosen.category_name)}, as in the sidebar",
                on_click=_choose,
                args=(chosen.entry.category,),
                key="as-in-sidebar",
            )
    if order[0] not in with_module:
        st.caption(
            f"The highest score is that of {escape_markdown(format_category(order[0]))}, which has "
            "no module yet. Train one: "
            f"`python -m explorer train {shlex.quote(str(workspace.path))} --category "
            f"{shlex.quote(format_category(order[0]))}`"
        )
    return runs[run]


def _choose(category: str) -> None:
    st.session_state[EXPLAINED] = category


def explain(workspace: Workspace, entry: ModuleEntry, photo: OwnPhoto, layer: str) -> Explanation:
    """Explain a photo under a module; the network runs once for a module and a layer."""
    key = ("explanation", *caching.make_module_key(workspace, entry), layer)
    return photo.remember(key, lambda: workspace.networks.explain(entry, photo.image, layer))


def explain_score(
    workspace: Workspace, category: str, photo: OwnPhoto, layer: str
) -> NDArray[np.float32]:
    """Draw ExcitationBP of the network's own score of a category on a photo, (h, w), >= 0."""
    key = ("score", *caching.make_workspace_key(workspace), category, layer)
    return photo.remember(
        key, lambda: workspace.networks.explain_score(category, photo.image, layer)
    )


def draw(
    photo: OwnPhoto, maps: NDArray[np.float32], style: MapStyle, key: Key, side: int = TILE_SIDE
) -> Overlays:
    """Draw maps (K, h, w) over the photo, once for a way of drawing; `key` names the maps."""
    return photo.remember(
        ("overlays", *key, *_make_drawing_key(style), side),
        lambda: drawings.draw_maps(photo.image, maps, style, side),
    )


def draw_large(
    photo: OwnPhoto, heat: NDArray[np.float32], style: MapStyle, key: Key, top: float
) -> bytes:
    """Draw one map (h, w) to be seen up close, `top` as hottest; `key` names the map."""
    return photo.remember(
        ("large", *key, *_make_drawing_key(style)),
        lambda: drawings.draw_map(photo.image, heat, style, top, LARGE_SIDE),
    )


def _make_drawing_key(style: MapStyle) -> Key:
    return (style.layer, style.colours, style.opacity, style.shared_scale, style.smooth)


def draw_score(workspace: Workspace, category: str, photo: OwnPhoto, style: MapStyle) -> Overlays:
    """Draw ExcitationBP of the network's own score of a category over the photo."""
    heat = explain_score(workspace, category, photo, style.layer)
    key = ("score", *caching.make_workspace_key(workspace), category)
    return draw(photo, heat[np.newaxis], style, key, LARGE_SIDE)


def show_score_map(workspace: Workspace, category: str, photo: OwnPhoto, style: MapStyle) -> None:
    """Show ExcitationBP of the network's own score of a category."""
    overlays = draw_score(workspace, category, photo, style)
    name = escape_markdown(format_category(category))
    with st.container(key="score-map"):
        st.image(
            overlays.images[0],
            width="stretch",
            alt=f"Heatmap of the network's own score of {format_category(category)} over the photo",
        )
    if overlays.tops[0] == 0:
        st.caption("This map is zero everywhere: there is nothing to draw.")
    else:
        heatmaps.show_colour_bar(style.colours, overlays.tops[0], "colour-bar-score")
    st.caption(f"ExcitationBP: c-MWP of ŷ of {name} itself.", help=HELP["c-MWP"])


def show_map_controls(workspace: Workspace) -> MapStyle:
    """Show in the sidebar how heatmaps are drawn."""
    return sidebar.show_map_controls(list(workspace.networks.backbone.stops))


def show_contributions_title(entry: ModuleEntry) -> None:
    """Head the figure of contributions."""
    name = escape_markdown(format_category(entry.category))
    st.markdown(f"##### What adds up to the score of {name}", help=HELP["contribution"])


def show_score_only(workspace: Workspace, category: str, photo: OwnPhoto, style: MapStyle) -> None:
    """Show what can be said of a category's score without a module, and how to train one."""
    left, right = st.columns([5, 6], gap="large")
    with left, st.spinner("Tracing the score back to the photo's pixels …"):
        show_score_map(workspace, category, photo, style)
    with right:
        path, name = shlex.quote(str(workspace.path)), format_category(category)
        st.info(
            "This is where the network's highest score comes from. What speaks for and against it "
            "takes a module, and this workspace has none yet. Train one, then reload this page:"
        )
        st.code(
            f"python -m explorer train {path} --category {shlex.quote(name)}",
            language="bash",
            wrap_lines=True,
        )
