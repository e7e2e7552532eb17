"""The photo of the Photo page, with the bird's box."""

import streamlit as st

from explorer.data.cub import format_category
from explorer.data.photo import Photo
from explorer.ui.shared import cached
from explorer.ui.shared.markdown import escape_markdown
from explorer.ui.shared.names import name_photo
from explorer.workspace.workspace import Workspace

_BADGES = {
    "test": ("test photo", "The module has not learnt from this photo."),
    "train": ("training photo", "The module has learnt from this photo."),
    "unused": ("unused photo", "Neither trained nor tested on: the module's draw left it out."),
}


def show_photo(workspace: Workspace, photo: Photo, side: str) -> None:
    """Show a photo with the bird's box, its category, and its side of the split.

    Parameters
    ----------
    workspace : Workspace
        The photo's workspace.
    photo : Photo
        The photo.
    side : str
        From `SplitSides.name_side`.
    """
    name, category = name_photo(workspace, photo), format_category(photo.category)
    st.image(
        cached.load_boxed_photo(photo),
        width="stretch",
        alt=f"{name}, a {category}, with a box around the bird",
    )
    label, explanation = _BADGES[side]
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.badge(label, color="green" if side == "test" else "gray", help=explanation)
        st.caption(escape_markdown(f"{name}: {category}"), width="content")
