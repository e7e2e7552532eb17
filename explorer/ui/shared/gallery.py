"""Photos side by side, each with what is to be said of it and the way to its own page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import streamlit as st

from explorer.config import PAGES_DIR
from explorer.data.photo import Photo
from explorer.ui.shared import links
from explorer.ui.shared.components import escape_markdown
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace


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
    above : str
        What stands above the picture, in Markdown; empty for nothing.
    """

    photo: Photo
    picture: bytes
    alt: str
    text: str
    params: Mapping[str, str] = field(default_factory=dict)
    above: str = ""


def show_gallery(
    workspace: Workspace, entry: ModuleEntry | None, tiles: Sequence[Tile], key: str
) -> None:
    """Show photos in a grid, as many in a row as fit; each leads to its page under `entry`.

    Without any module there is no such page, and photos are only named.
    """
    with st.container(key=f"gallery-{key}"):
        for tile in tiles:
            params = None
            if entry is not None:
                params = links.make_photo_params(workspace, entry, tile.photo) | dict(tile.params)
            show_tile(
                f"{key}-{tile.photo.image_id}",
                tile.picture,
                tile.alt,
                page="photo",
                label=name_photo(workspace, tile.photo),
                params=params,
                text=tile.text,
                above=tile.above,
            )


def show_tile(
    key: str,
    picture: bytes,
    alt: str,
    *,
    page: str,
    label: str,
    params: Mapping[str, str] | None,
    text: str,
    above: str = "",
) -> None:
    """Show one picture of a gallery, the way to a page below it, and what is to be said of it.

    Parameters
    ----------
    key : str
        No two alike on a page.
    picture : bytes
        Encoded.
    alt : str
        What the picture shows, for whoever cannot see it.
    page : str
        Name of a script in ``pages/``.
    label : str
        Of the link, in plain words.
    params : Mapping or None
        What the page's address shall choose; None where there is nothing to open yet.
    text, above : str
        What is to be said below the link and above the picture, in Markdown; empty for nothing.
    """
    with st.container(key=f"gallery-tile-{key}", gap="xxsmall"):
        if above:
            st.markdown(above)
        st.image(picture, width="stretch", alt=alt)
        if params is None:
            st.markdown(escape_markdown(label))
        else:
            st.page_link(
                PAGES_DIR / f"{page}.py", label=escape_markdown(label), query_params=dict(params)
            )
        if text:
            st.markdown(text)


def name_photo(workspace: Workspace, photo: Photo) -> str:
    """Name a photo by its kind and id: ``Painted bird 12``."""
    return f"{'Painted bird' if workspace.is_painted else 'Photo'} {photo.image_id}"
