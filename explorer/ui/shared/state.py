"""What the user has chosen, and the parameters of the browser's address that hold it."""

import contextlib
import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import streamlit as st
from streamlit.errors import StreamlitAPIException

from explorer.config import ExplorerError, is_public, list_workspaces
from explorer.render.colour_maps import DEFAULT_COLOUR_MAP
from explorer.render.heatmap import DEFAULT_OPACITY
from explorer.render.style import TEXT_COLOUR
from explorer.render.views import COLOURS as COLOURS_OVER_PHOTO
from explorer.ui.shared.workspaces import introduce
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.settings import load_settings

WORKSPACE = "workspace"
DEVICE = "device"
CATEGORY = "category"
RUN = "run"
PHOTOS_OF = "photos_of"
PHOTO = "photo"
PHOTO_PAGE = "photo_page"
FEATURE = "feature"
LAYER = "layer"
COLOURS = "colours"
OPACITY = "opacity"
SCALE = "scale"
DRAWING = "drawing"
VIEW = "heat"
CROP = "crop"
OFF = "off"
LOOK = "look"

ANY_DEVICE = "auto"

BIND: Final = "query-params"
SCALES = FADED, OWN_SCALE, SHARED_SCALE = "faded by share", "own scale", "one for all"
BIRD, WHOLE_PHOTO = "the bird", "whole photo"
DRAWINGS = SMOOTH, RAW_GRID = "smoothed", "raw grid"
HEATMAP, PIXELS, PLAIN = "heatmap", "pixel by pixel", "photo"

# Prefix of the keys of widgets in fragments, which do not rerun the rest of the page.
TRAINING_KEYS = "training-"

_SELECTION = "chosen_module"
_OF_WORKSPACE = (CATEGORY, RUN, PHOTOS_OF, PHOTO)
_ADDRESS = "address_of_last_run"
_NOTES = "notes_on_link"
_NO_NOTES = "no_notes_on_link"
_FIGURE_TEXT = {"light": "#3c424b", "dark": "#d5d2ca"}


@dataclass(frozen=True)
class Selection:
    """The module that all pages show.

    Attributes
    ----------
    workspace : Path
        Folder of the workspace.
    entry : ModuleEntry
        The chosen module; its category is the explained one.
    category_name : str
        Name of the category on the page and in addresses.
    """

    workspace: Path
    entry: ModuleEntry
    category_name: str


@dataclass(frozen=True)
class MapStyle:
    """How heatmaps are drawn; measures do not depend on it.

    Attributes
    ----------
    layer : str
        Stop of the backbone at which maps are taken.
    view : str
        How heat is shown on the photo, a name in `explorer.render.views.VIEWS`.
    colours : str
        A name in `explorer.render.colour_maps.COLOUR_MAPS`.
    opacity : int
        In per cent.
    scale : str
        One of `SCALES`: whether the maps of a photo fade by their share of the score, or are drawn
        with the same strength, each on its own scale or all on one.
    is_cropped : bool
        Whether the bird is shown, or the whole photo.
    smooth : bool
        Whether maps are smoothed, or drawn as the raw grid.
    """

    layer: str
    view: str = COLOURS_OVER_PHOTO
    colours: str = DEFAULT_COLOUR_MAP
    opacity: int = round(100 * DEFAULT_OPACITY)
    scale: str = FADED
    is_cropped: bool = True
    smooth: bool = True


def apply_address() -> set[str]:
    """Apply a changed address to the widgets that are bound to it.

    A widget bound to the address reads it only once in a session. Where the address was changed by
    a link within the app or by the browser's Back or Forward, and not by a widget, the widgets have
    to read it again.
    Call this before the first widget, and `remember_address` at the end.

    Returns
    -------
    set of str
        The parameters that have to be read again.
    """
    asked = _read_address()
    before, chosen = st.session_state.get(_ADDRESS, (asked, {}))
    if asked == before or _has_chosen(chosen):
        return set()
    stale = {key for key in {*asked, *before} if asked.get(key) != before.get(key)}
    if CATEGORY in stale:
        stale |= {RUN, PHOTOS_OF, PHOTO}
    for key in stale:
        st.session_state.pop(key, None)
    return stale


def _has_chosen(before: Mapping[str, object]) -> bool:
    # Missing keys belong to widgets of the previous page; they are no choice of the user.
    return any(st.session_state.get(key, was) != was for key, was in before.items())


def remember_address() -> None:
    """Store the address and the choices at the end of a run, complete or interrupted.

    True is left out: it may be a button's, which is False again in the next run.
    """
    chosen = {
        key: value
        for key, value in st.session_state.items()
        if isinstance(value, str | int | float | list | None)
        and value is not True
        and not str(key).startswith(TRAINING_KEYS)
    }
    st.session_state[_ADDRESS] = (_read_address(), chosen)


def _read_address() -> dict[str, list[str]]:
    return {key: st.query_params.get_all(key) for key in st.query_params}


def discard_unknown_choice(key: str, options: Collection[object]) -> None:
    """Forget a choice that is not among the options, which the widget would refuse."""
    if key in st.session_state and st.session_state[key] not in options:
        del st.session_state[key]


def forget_choices() -> None:
    """Forget the choices of a workspace: another one has other categories and photos."""
    for key in _OF_WORKSPACE:
        st.session_state.pop(key, None)
    # Parameters still in the address are those of the old workspace, not errors of a link.
    st.session_state[_NO_NOTES] = True


def name_workspaces() -> dict[str, Path]:
    """Return the workspaces that can be chosen, by the name under which each is shown."""
    paths = list_workspaces()
    plain = [known.name if (known := introduce(path)) else path.name for path in paths]
    return {
        name if plain.count(name) == 1 else str(path): path
        for name, path in zip(plain, paths, strict=True)
    }


def choose_workspace(name: str) -> None:
    """Choose a workspace by its name in `name_workspaces`; call it before the sidebar is shown."""
    st.session_state[WORKSPACE] = name
    forget_choices()


def get_workspace_name() -> str:
    """Return the name of the chosen workspace."""
    names = list(name_workspaces())
    chosen = st.session_state.get(WORKSPACE, names[0])
    return chosen if chosen in names else names[0]


def get_workspace_path() -> Path:
    """Return the folder of the chosen workspace."""
    return name_workspaces()[get_workspace_name()]


def hide_folders(text: str) -> str:
    """Shorten paths to start at the folder of the workspace or data set, on a public server.

    Elsewhere the text is not changed, since its readers need the full paths.
    """
    if not is_public():
        return text
    path = get_workspace_path()
    folders = [path]
    with contextlib.suppress(ExplorerError):
        folders.append(load_settings(path).locate_dataset(path))
    for folder in folders:
        text = text.replace(f"{folder.parent}{os.sep}", "")
    return text


def get_device() -> str:
    """Return the chosen device, or ``auto``, which is always used on a public server.

    Each device in use holds its own copy of the network.
    """
    return ANY_DEVICE if is_public() else str(st.session_state.get(DEVICE, ANY_DEVICE))


def open_notes() -> None:
    """Reserve a place at the top of the page for messages about its address."""
    st.session_state[_NOTES] = None if st.session_state.pop(_NO_NOTES, False) else st.container()


def keep_selection(selection: Selection | None) -> None:
    """Remember the module chosen in the sidebar for this run of the page."""
    st.session_state[_SELECTION] = selection


def get_selection() -> Selection | None:
    """Return the module chosen in the sidebar, or None if there is none to choose."""
    selection: Selection | None = st.session_state.get(_SELECTION)
    return selection


def check_param(key: str, labels: Iterable[str], what: str) -> None:
    """Show a message if the address asks for an unknown option.

    Call it before the widget bound to `key`, which ignores unknown options silently.

    Parameters
    ----------
    key : str
        Key of the widget and name of its parameter in the address.
    labels : iterable of str
        The known options, as they appear in the address.
    what : str
        What is chosen, for the message.
    """
    place = st.session_state[_NOTES]
    if key in st.session_state or place is None:
        return
    known = set(labels)
    for asked in st.query_params.get_all(key):
        if asked not in known:
            place.warning(
                f"The link asks for the {what} “{_shorten(asked)}”, which is not here. "
                "You see the usual choice instead.",
                icon=":material/link_off:",
            )


def drop_param(key: str) -> None:
    """Remove a parameter from the address while no widget is bound to it."""
    with contextlib.suppress(KeyError, StreamlitAPIException):
        del st.query_params[key]


def _shorten(text: str) -> str:
    """Make text from an address safe and short enough for a message."""
    plain = "".join(c if c.isalnum() or c in " .-_,'" else "·" for c in text).replace("_", r"\_")
    return plain if len(plain) <= 60 else plain[:60] + "…"


def get_text_colour() -> str:
    """Return the colour of text in figures that fits the browser's theme."""
    theme = st.context.theme.type
    return _FIGURE_TEXT.get(theme, TEXT_COLOUR) if theme else TEXT_COLOUR
