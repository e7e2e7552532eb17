"""A link to what is chosen on the page, without the visitor's photo."""

from collections.abc import Mapping, Sequence

import streamlit as st

from explorer.data.names import name_categories
from explorer.methods.runs import format_run
from explorer.ui.shared import links, state
from explorer.ui.shared.state import MapStyle
from explorer.ui.your_photo.explaining import EXPLAINED, EXPLAINED_RUN
from explorer.ui.your_photo.intake import SAMPLE_KEY, SOURCE
from explorer.ui.your_photo.own_photo import SAMPLE, OwnPhoto
from explorer.ui.your_photo.parts import MEASURE
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace


def make_explained_params(
    workspace: Workspace, entry: ModuleEntry, chosen: Mapping[str, str | Sequence[str]]
) -> dict[str, str | Sequence[str]]:
    """Return the address parameters for the explained category and what is chosen of it."""
    names = name_categories(workspace.dataset.categories)
    selection = state.get_selection()
    params: dict[str, str | Sequence[str]] = {
        EXPLAINED: names[entry.category],
        EXPLAINED_RUN: format_run(entry.run),
    }
    if selection is not None:
        params |= links.make_module_params(workspace, selection.entry)
    measure = {MEASURE: str(bool(st.session_state.get(MEASURE))).lower()}
    return params | dict(chosen) | measure


def show_link(
    photo: OwnPhoto, style: MapStyle, explained: Mapping[str, str | Sequence[str]]
) -> None:
    """Show a link to everything chosen on the page; a sample is included, an own photo is not.

    Parameters
    ----------
    photo : OwnPhoto
        The photo on the page.
    style : MapStyle
        How maps are drawn.
    explained : Mapping
        From `make_explained_params`, or the workspace alone where it has no module.
    """
    params: dict[str, str | int | Sequence[str]] = {SOURCE: photo.source}
    if photo.source == SAMPLE:
        params[SAMPLE_KEY] = photo.name
    params |= {**explained, **links.make_style_params(style)}
    if photo.source == SAMPLE:
        links.show_link(params)
        return
    links.show_link(params, "all that is chosen here, but without your photo")
    st.caption(
        "A link cannot hold your photo, for nobody but you has it. Whoever opens the link finds "
        "the same choices and brings a photo of their own."
    )
