"""Links between pages, with everything they show as parameters of the address."""

import re
from collections.abc import Mapping, Sequence
from typing import NoReturn
from urllib.parse import urlencode

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer.config import PAGES_DIR
from explorer.data.cub import format_category
from explorer.data.names import name_categories
from explorer.data.photo import Photo
from explorer.explaining.naming import name_feature
from explorer.methods.runs import format_run, get_default_modules
from explorer.ui.shared import cached, mirrored, state
from explorer.ui.shared.markdown import escape_markdown
from explorer.ui.shared.names import name_photos
from explorer.ui.shared.splits import sort_photos
from explorer.ui.shared.state import MapStyle
from explorer.ui.shared.words import HELP
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace

_OTHERS_SHOWN = 3


def make_module_params(workspace: Workspace, entry: ModuleEntry) -> dict[str, str]:
    """Return the parameters of any page's address that choose a module."""
    names = name_categories(workspace.dataset.categories)
    return {
        **name_workspace(),
        **mirrored.list_drawing_params(),
        state.CATEGORY: names[entry.category],
        state.RUN: format_run(entry.run),
    }


def name_workspace() -> dict[str, str]:
    """Return the parameter of any page's address that chooses the workspace, if needed."""
    is_choice = len(state.name_workspaces()) > 1
    return {state.WORKSPACE: state.get_workspace_name()} if is_choice else {}


def make_photo_params(workspace: Workspace, entry: ModuleEntry, photo: Photo) -> dict[str, str]:
    """Return the parameters of the Photo page that choose a module and a photo."""
    names = name_categories(workspace.dataset.categories)
    photos = name_photos(workspace.dataset.photos_of(photo.category))
    return make_module_params(workspace, entry) | {
        state.PHOTOS_OF: names[photo.category],
        state.PHOTO: photos[photo.image_id],
    }


def show_feature_link(
    workspace: Workspace,
    entry: ModuleEntry,
    feature: int,
    label: str,
    *,
    icon: str | None = None,
) -> None:
    """Show a link to the page of an x-feature.

    Parameters
    ----------
    workspace, entry
        Its module.
    feature : int
        The x-feature, counted from 0.
    label : str
        In Markdown.
    icon : str, optional
        Shown before the label.
    """
    st.page_link(
        PAGES_DIR / "x_feature.py",
        label=label,
        icon=icon,
        query_params=make_module_params(workspace, entry) | {state.FEATURE: name_feature(feature)},
    )


def switch_to_photo(workspace: Workspace, entry: ModuleEntry, photo: Photo) -> NoReturn:
    """Open a photo on the Photo page, under the module chosen in the sidebar."""
    params = make_photo_params(workspace, entry, photo)
    # Streamlit refuses parameters that are bound to a widget of this page.
    omitted = list(make_module_params(workspace, entry))
    if photo.category == entry.category:
        # The page would remove its defaults from the address, adding a step to Back.
        omitted.append(state.PHOTOS_OF)
        photos = workspace.dataset.photos_of(photo.category)
        if photo == sort_photos(photos, cached.load_split(workspace, entry))[0]:
            omitted.append(state.PHOTO)
    free = {key: value for key, value in params.items() if key not in omitted}
    st.switch_page(PAGES_DIR / "photo.py", query_params=free)


def show_photo_link(
    workspace: Workspace,
    entry: ModuleEntry,
    photo: Photo,
    label: str,
    *,
    help_text: str = "",
    feature: int | None = None,
    icon: str | None = ":material/photo:",
) -> None:
    """Show a link that opens a photo under a module on the Photo page, and an x-feature there.

    The label is Markdown; x-features are counted from 0.
    """
    chosen = {} if feature is None else {state.FEATURE: name_feature(feature)}
    st.page_link(
        PAGES_DIR / "photo.py",
        label=label,
        icon=icon,
        help=help_text or None,
        query_params=make_photo_params(workspace, entry, photo) | chosen,
    )


def show_other_categories(
    workspace: Workspace, entry: ModuleEntry, photo: Photo, logits: NDArray[np.float32]
) -> None:
    """Link to the same photo under the modules of the other categories that score highest.

    Parameters
    ----------
    workspace : Workspace
        The workspace of the modules.
    entry : ModuleEntry
        The module that explains the photo on this page.
    photo : Photo
        The photo.
    logits : NDArray of float32
        (C,), signed: the classifier's scores of the photo.
    """
    usual = get_default_modules(workspace.list_modules())
    ranked = (workspace.dataset.categories[n] for n in np.argsort(-logits, kind="stable").tolist())
    others = [usual[name] for name in ranked if name != entry.category and name in usual]
    if others:
        st.caption("The same photo, explained as another bird:", help=HELP["other"])
    with st.container(horizontal=True, gap="small"):
        for other in others[:_OTHERS_SHOWN]:
            name = escape_markdown(format_category(other.category))
            params = make_photo_params(workspace, other, photo)
            label = f"Explained as {name}"
            st.page_link(PAGES_DIR / "photo.py", label=label, query_params=params)


def make_style_params(style: MapStyle) -> dict[str, str | int]:
    """Return the parameters of any page's address for how heatmaps are drawn."""
    return {
        state.LAYER: style.layer,
        state.COLOURS: style.colours,
        state.OPACITY: style.opacity,
        state.SCALE: style.scale,
        state.VIEW: style.view,
        state.CROP: state.BIRD if style.is_cropped else state.WHOLE_PHOTO,
        state.DRAWING: state.SMOOTH if style.smooth else state.RAW_GRID,
    }


def _read_url() -> str:
    # Streamlit confuses ``/your_photo`` with the page ``/photo`` and reports ``/your_/your_photo``.
    return re.sub(r"/your_(?=/your_photo$)", "", st.context.url or "")


def show_link(
    params: Mapping[str, str | int | Sequence[str]], what: str = "exactly this view"
) -> None:
    """Show an address that opens this page with everything chosen on it.

    Parameters
    ----------
    params : Mapping
        Every choice on the page, including defaults: these may change when modules are trained,
        and a link should keep what it shows. A sequence gives one parameter per item.
    what : str
        What the address opens.
    """
    st.markdown(f"A link to {what}, for whoever can reach this address:")
    st.code(f"{_read_url()}?{urlencode(params, doseq=True)}", language=None, wrap_lines=True)
