"""The sidebar: whose birds, which network, which category and module, and how maps are drawn."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from explorer.config import ExplorerError, is_public
from explorer.methods.runs import format_run, sort_modules
from explorer.render.colour_maps import COLOUR_MAPS, DEFAULT_COLOUR_MAP
from explorer.render.heatmap import DEFAULT_OPACITY
from explorer.ui.shared import cached, state
from explorer.ui.shared.components import error_boundary, escape_markdown
from explorer.ui.shared.names import name_categories
from explorer.ui.shared.state import MapStyle, Selection
from explorer.ui.shared.words import HELP
from explorer.ui.training import trainings
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator


def show_sidebar() -> "DeltaGenerator":
    """Show the choices of all pages, keep what is chosen, and return a place for `show_network`.

    The network is named last: where it runs is chosen when the page first computes with it.
    """
    state.keep_selection(None)
    top = st.sidebar.container()
    place = st.sidebar.empty()
    # What is wrong with the workspace is told by the page, which has room for the cure.
    with top, error_boundary():
        _choose_workspace()
        try:
            with st.spinner("Opening the workspace …"):
                workspace = cached.open_workspace()
                entries = workspace.list_modules()
        except ExplorerError:
            st.caption("No workspace is open.")
            return place
        _show_workspace(workspace)
        if entries:
            state.keep_selection(_choose_module(workspace, entries))
        if not is_public():
            trainings.show_training(workspace, entries)
    return place


def _choose_workspace() -> None:
    names = list(state.name_workspaces())
    state.check_param(state.WORKSPACE, names, "workspace")
    if len(names) == 1:
        state.drop_param(state.WORKSPACE)
        return
    st.selectbox(
        "Workspace",
        names,
        key=state.WORKSPACE,
        bind=state.BIND,
        help=HELP["workspace"],
        on_change=state.forget_choices,
    )


def _show_workspace(workspace: Workspace) -> None:
    dataset = workspace.dataset
    photos = f"{len(dataset.photos):,} " + ("painted birds" if workspace.is_painted else "photos")
    if len(state.name_workspaces()) == 1:
        name = escape_markdown(state.get_workspace_name())
        # Where a server keeps its files is no business of its visitors.
        place = None if is_public() else f"The workspace in `{workspace.path}`."
        st.markdown(f"**{name}**", help=place)
    origin = None if is_public() else f"From `{dataset.root}`."
    st.caption(
        f"{photos} of {len(dataset.categories)} "
        + ("invented categories" if workspace.is_painted else "categories"),
        help=(
            "All birds and categories are invented, and the photos painted by a program."
            if workspace.is_painted
            else origin
        ),
    )


def _choose_module(workspace: Workspace, entries: Sequence[ModuleEntry]) -> Selection:

    with_module = list(dict.fromkeys(entry.category for entry in entries))
    names = name_categories(with_module)
    state.check_param(state.CATEGORY, names.values(), "category")
    category = st.selectbox(
        "Category",
        with_module,
        format_func=lambda name: names.get(name, name),
        key=state.CATEGORY,
        bind=state.BIND,
        help=HELP["category"],
        on_change=_follow_category,
    )
    missing = len(workspace.dataset.categories) - len(with_module)
    st.caption(
        f"{len(with_module)} of {len(workspace.dataset.categories)} categories have a module."
        if missing
        else "Every category has a module."
    )
    runs = {entry.run: entry for entry in sort_modules(entries) if entry.category == category}
    run = next(iter(runs))
    if len(runs) > 1:
        state.check_param(state.RUN, map(format_run, runs), "module")
        run = st.selectbox(
            "Module",
            list(runs),
            format_func=format_run,
            key=state.RUN,
            bind=state.BIND,
            help=HELP["run"],
        )
    else:
        state.check_param(state.RUN, [format_run(run)], "module")
        state.drop_param(state.RUN)
        st.caption(escape_markdown(f"Module: {format_run(run)}"))
    return Selection(workspace.path, runs[run], names[category])


def _follow_category() -> None:
    """Show photos of a newly chosen category, whatever was shown before, with nothing off."""
    st.session_state[state.PHOTOS_OF] = st.session_state[state.CATEGORY]
    st.session_state[state.OFF] = []


def show_network(place: "DeltaGenerator") -> None:
    """Say in the sidebar which network is explained, and where it runs once it does.

    Call it after the page. Where the page has computed nothing, nothing is loaded to say so.
    """
    with place:
        try:
            workspace = cached.open_workspace()
            accuracy = _read_accuracy(workspace)
        except ExplorerError:
            return
        measured = (
            "test accuracy not measured yet"
            if accuracy is None
            else f"test accuracy {accuracy:.1%}"
        )
        _show_network(workspace, measured)


def _read_accuracy(workspace: Workspace) -> float | None:
    """Return the test accuracy that was measured, or else what training reported."""
    measures = cached.load_accuracy_or_none(workspace)
    if measures is not None:
        return measures.test_accuracy
    reported = workspace.networks.classifier_report.get("test_accuracy")
    return float(reported) if isinstance(reported, int | float) else None


def _show_network(workspace: Workspace, measured: str) -> None:
    settings = workspace.settings
    network = f"Network: {settings.architecture}, explained at {settings.z_layer}; {measured}."
    # A choice of device that is not shown would be forgotten.
    if workspace.has_networks or state.get_device() != state.ANY_DEVICE:
        _show_device(workspace, network)
    else:
        st.caption(network, help=HELP["accuracy"])


def _show_device(workspace: Workspace, network: str) -> None:
    devices = workspace.networks.list_devices()
    name = str(workspace.networks.device)
    place = devices.get(name) or devices.get(f"{name}:0", name)
    with st.container():
        st.caption(f"{network} It runs on the {place}.", help=HELP["accuracy"])
        if len(devices) > 1 and not is_public():
            st.selectbox(
                "Device",
                [state.ANY_DEVICE, *devices],
                format_func=lambda name: devices.get(name, "the fastest"),
                key=state.DEVICE,
                help=HELP["device"],
            )


def show_map_controls(layers: Sequence[str]) -> MapStyle:
    """Show how heatmaps are drawn, and return it.

    Parameters
    ----------
    layers : sequence of str
        Stops of the backbone, the default first.
    """
    state.check_param(state.LAYER, layers, "map layer")
    state.check_param(state.COLOURS, COLOUR_MAPS, "colour map")
    state.check_number_param(state.OPACITY, 0, 100, "opacity")
    state.check_param(state.SCALE, (state.OWN_SCALE, state.SHARED_SCALE), "scale")
    state.check_param(state.DRAWING, (state.SMOOTH, state.RAW_GRID), "drawing")
    state.keep_among(state.LAYER, layers)
    with st.sidebar:
        st.subheader("Heatmaps", divider="gray")
        opacity = st.slider(
            "Opacity",
            0,
            100,
            round(100 * DEFAULT_OPACITY),
            step=5,
            format="%d %%",
            key=state.OPACITY,
            bind=state.BIND,
            help=HELP["opacity"],
        )
        colours = st.selectbox(
            "Colour map",
            list(COLOUR_MAPS),
            index=list(COLOUR_MAPS).index(DEFAULT_COLOUR_MAP),
            key=state.COLOURS,
            bind=state.BIND,
            help=HELP["colours"],
        )
        scale = st.segmented_control(
            "Colour scale",
            [state.OWN_SCALE, state.SHARED_SCALE],
            default=state.OWN_SCALE,
            required=True,
            key=state.SCALE,
            bind=state.BIND,
            help=HELP["scale"],
            width="stretch",
        )
        drawing = st.segmented_control(
            "Drawing",
            [state.SMOOTH, state.RAW_GRID],
            default=state.SMOOTH,
            required=True,
            key=state.DRAWING,
            bind=state.BIND,
            help=HELP["drawing"],
            width="stretch",
        )
        layer = st.selectbox(
            "Map layer", list(layers), key=state.LAYER, bind=state.BIND, help=HELP["layer"]
        )
    return MapStyle(layer, colours, opacity, scale == state.SHARED_SCALE, drawing == state.SMOOTH)
