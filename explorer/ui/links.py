"""Ways from one page to another, with what is to be seen there in the address."""

from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import streamlit as st

from explorer.config import PAGES_DIR
from explorer.layout import ModuleEntry, format_run
from explorer.ui import state
from explorer.ui.picker import name_photos
from explorer.ui.sidebar import name_categories
from explorer.ui.state import MapStyle

if TYPE_CHECKING:
    from explorer.data.cub import Photo
    from explorer.workspace import Workspace


def make_module_params(workspace: "Workspace", entry: ModuleEntry) -> dict[str, str]:
    """Return what chooses a module in any page's address."""
    names = name_categories(workspace.dataset.categories)
    return {state.CATEGORY: names[entry.category], state.RUN: format_run(entry.run)}


def make_photo_params(workspace: "Workspace", entry: ModuleEntry, photo: "Photo") -> dict[str, str]:
    """Return what chooses a module and a photo in the address of the Photo page."""
    names = name_categories(workspace.dataset.categories)
    photos = name_photos(workspace.dataset.photos_of(photo.category))
    return make_module_params(workspace, entry) | {
        state.PHOTOS_OF: names[photo.category],
        state.PHOTO: photos[photo.image_id],
    }


def show_photo_link(
    workspace: "Workspace", entry: ModuleEntry, photo: "Photo", label: str, *, help_text: str = ""
) -> None:
    """Show a link that opens a photo under a module on the Photo page."""
    st.page_link(
        PAGES_DIR / "photo.py",
        label=label,
        icon=":material/photo:",
        help=help_text or None,
        query_params=make_photo_params(workspace, entry, photo),
    )


def make_style_params(style: MapStyle) -> dict[str, str | int]:
    """Return what says in any page's address how heatmaps are drawn."""
    return {
        state.LAYER: style.layer,
        state.COLOURS: style.colours,
        state.OPACITY: style.opacity,
        state.SCALE: state.SHARED_SCALE if style.shared_scale else state.OWN_SCALE,
        state.DRAWING: state.SMOOTH if style.smooth else state.RAW_GRID,
    }


def show_link(params: Mapping[str, str | int]) -> None:
    """Show an address that opens this page with all that is chosen on it.

    Parameters
    ----------
    params : Mapping
        Every choice on the page, those left at their defaults included: defaults may change when
        modules are trained, and a link that is passed on must not.
    """
    st.markdown("A link to exactly this view, for whoever can reach this address:")
    st.code(f"{st.context.url or ''}?{urlencode(params)}", language=None, wrap_lines=True)
