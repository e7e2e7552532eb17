"""Photos side by side, each with a text and a link to its page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import streamlit as st

from explorer.config import PAGES_DIR
from explorer.data.photo import Photo
from explorer.ui.shared import links
from explorer.ui.shared.markdown import escape_markdown
from explorer.ui.shared.names import name_photo
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace


@dataclass(frozen=True)
class Tile:
    """One photo of a gallery.

    Attributes
    ----------
    photo : Photo
        The photo whose page the tile links to.
    picture : bytes or None
        The photo, or a map over it, as JPEG or PNG; None if there are no photos.
    alt : str
        What the picture shows, for screen readers.
    text : str
        Text below the link, in Markdown.
    params : Mapping
        Parameters of the link to the Photo page, beyond module and photo.
    above : str
        Text above the picture, in Markdown; may be empty.
    """

    photo: Photo
    picture: bytes | None
    alt: str
    text: str
    params: Mapping[str, str] = field(default_factory=dict)
    above: str = ""


def show_gallery(
    workspace: Workspace, entry: ModuleEntry | None, tiles: Sequence[Tile], key: str
) -> None:
    """Show photos in a grid; each links to its page under the module `entry`.

    Without a module or photos there is no such page, and photos are only named.
    """
    with st.container(key=f"gallery-{key}"):
        for tile in tiles:
            params = None
            if entry is not None and tile.picture is not None:
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
    picture: bytes | None,
    alt: str,
    *,
    page: str,
    label: str,
    params: Mapping[str, str] | None,
    text: str,
    above: str = "",
) -> None:
    """Show one picture of a gallery, with a link and a text below it.

    Parameters
    ----------
    key : str
        Unique on the page.
    picture : bytes or None
        JPEG or PNG; None for texts alone.
    alt : str
        What the picture shows, for screen readers.
    page : str
        Page that the link opens: name of a script in ``pages/``.
    label : str
        Label of the link, in plain text.
    params : Mapping or None
        Parameters of the link; None for a label without a link.
    text, above : str
        Texts below the link and above the picture, in Markdown; may be empty.
    """
    with st.container(key=f"gallery-tile-{key}", gap="xxsmall"):
        if above:
            st.markdown(above)
        if picture is not None:
            st.image(picture, width="stretch", alt=alt)
        if params is None:
            st.markdown(escape_markdown(label))
        else:
            st.page_link(
                PAGES_DIR / f"{page}.py", label=escape_markdown(label), query_params=dict(params)
            )
        if text:
            st.markdown(text)
