"""Photos side by side, each with what is to be said of it and the way to its own page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import streamlit as st

from explorer.config import PAGES_DIR
from explorer.layout import ModuleEntry
from explorer.ui import links
from explorer.ui.components import escape_markdown

if TYPE_CHECKING:
    from explorer.data.cub import Photo
    from explorer.workspace import Workspace


@dataclass(frozen=True)
class Tile:
    """One photo of a gallery.

    Attributes
    ----------
    photo : Photo
        Whose page the tile leads to.
    picture : bytes
        Encoded: the photo, or a map over it.
    alt : str
        What the picture shows, for whoever cannot see it.
    text : str
        What is to be said of it, in Markdown.
    params : Mapping
        What the Photo page's address shall choose beyond module and photo.
    """

    photo: "Photo"
    picture: bytes
    alt: str
    text: str
    params: Mapping[str, str] = field(default_factory=dict)


def show_gallery(
    workspace: "Workspace", entry: ModuleEntry | None, tiles: Sequence[Tile], key: str
) -> None:
    """Show photos in a grid, as many in a row as fit; each leads to its page under `entry`.

    Without any module there is no such page, and photos are only named.
    """
    with st.container(key=f"gallery-{key}"):
        for tile in tiles:
            with st.container(key=f"gallery-tile-{key}-{tile.photo.image_id}", gap="xxsmall"):
                st.image(tile.picture, width="stretch", alt=tile.alt)
                name = escape_markdown(name_photo(workspace, tile.photo))
                if entry is None:
                    st.markdown(name)
                else:
                    st.page_link(
                        PAGES_DIR / "photo.py",
                        label=name,
                        query_params=links.make_photo_params(workspace, entry, tile.photo)
                        | dict(tile.params),
                    )
                st.markdown(tile.text)


def name_photo(workspace: "Workspace", photo: "Photo") -> str:
    """Name a photo by its kind and id: ``Painted bird 12``."""
    return f"{'Painted bird' if workspace.is_painted else 'Photo'} {photo.image_id}"
