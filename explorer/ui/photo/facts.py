"""What is known of the photo of the Photo page."""

import streamlit as st

from explorer.data.cub import format_category
from explorer.data.names import add_article
from explorer.data.photo import Photo
from explorer.methods.runs import get_default_module
from explorer.ui.shared import cached
from explorer.ui.shared.markdown import escape_markdown
from explorer.ui.shared.names import name_photo
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace

_CHANGES = {"test": "a test photo", "train": "a training photo", "unused": "an unused photo"}
_BADGES = {
    "test": ("test photo", "The module has not learnt from this photo."),
    "train": ("training photo", "The module has learnt from this photo."),
    "unused": ("unused photo", "Neither trained nor tested on: the module's draw left it out."),
}


def describe_photo(workspace: Workspace, photo: Photo) -> str:
    """Say what the photo shows, for screen readers."""
    return f"{name_photo(workspace, photo)}, {add_article(format_category(photo.category))}"


def show_facts(workspace: Workspace, entry: ModuleEntry, photo: Photo) -> None:
    """Show a photo's name, its category, and its side of the module's split."""
    side = cached.load_split(workspace, entry).name_side(photo.image_id)
    label, explanation = _BADGES[side]
    name = f"{name_photo(workspace, photo)}: {format_category(photo.category)}"
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.badge(label, color="green" if side == "test" else "gray", help=explanation)
        st.caption(escape_markdown(name), width="content")
    own = get_default_module(workspace.list_modules(), photo.category)
    if own is None or photo.category == entry.category:
        return
    # Every module draws its own training photos among the birds that are not of its category.
    own_side = cached.load_split(workspace, own).name_side(photo.image_id)
    if own_side != side:
        here, there = (escape_markdown(format_category(one.category)) for one in (entry, own))
        st.caption(
            f"For the module of {here} this is {_CHANGES[side]}; for that of {there}, "
            f"{_CHANGES[own_side]}."
        )
