"""The box and the parts that the network finds on a visitor's photo, and how sure it is of them."""

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from explorer.analysis.doubt import Level
from explorer.config import ExplorerError
from explorer.explaining.answer import Answer
from explorer.explaining.words import format_percent
from explorer.measuring.found_parts import make_found_parts
from explorer.ui.shared import caching
from explorer.ui.shared.errors import error_boundary
from explorer.ui.your_photo import verdict
from explorer.ui.your_photo.marks import Marks
from explorer.ui.your_photo.own_photo import OwnPhoto
from explorer.workspace.workspace import Workspace

if TYPE_CHECKING:
    from explorer.nn.part_finder import FoundParts


def find_box(workspace: Workspace, photo: OwnPhoto, said: Answer) -> None:
    """Find the bird for the pictures of a photo, where the network can be trusted with it."""
    photo.found = None
    if workspace.has_part_finder and not photo.marks.points and not _is_strange(said):
        # Who asks for parts is told what is wrong; pictures do without them.
        with contextlib.suppress(ExplorerError):
            found = _find(workspace, photo)
            photo.found = None if found is None else make_found_parts(photo.image, found)


def _is_strange(said: Answer) -> bool:
    return said.judgement is not None and said.judgement.level is Level.STRANGE


def _find(workspace: Workspace, photo: OwnPhoto) -> "FoundParts | None":
    key = ("found parts", *caching.make_workspace_key(workspace))
    return photo.remember(key, lambda: workspace.networks.find_parts(photo.image))


def find_at_first(workspace: Workspace, photo: OwnPhoto) -> None:
    """Place what the network finds, before anything is placed or annotated.

    On a photo that looks like none of the species nothing is looked for, and that is said.
    """
    marks = photo.marks
    if not workspace.has_part_finder or marks.version or marks.points:
        return
    with error_boundary("The parts can be placed by hand all the same."):
        if _is_strange(verdict.ask(workspace, photo)):
            st.info(
                "The photo looks like none of the species that the network knows, so no parts were "
                "looked for: a network finds some on anything. Place them by hand, or let it look "
                "all the same.",
                icon=":material/search_off:",
            )
            return
        place_found(workspace, photo)


def place_found(workspace: Workspace, photo: OwnPhoto) -> None:
    """Replace box and parts by those that the network finds; this can be undone."""
    found = _find(workspace, photo)
    if found is None:
        return
    parts = [index for index, is_seen in enumerate(found.visible) if is_seen]
    photo.marks.suggest(
        found.box,
        {part: (float(found.points[part, 0]), float(found.points[part, 1])) for part in parts},
        {part: float(found.confidence[part]) for part in parts},
    )


def show_find_button(workspace: Workspace, photo: OwnPhoto) -> None:
    """Show a button that finds box and parts again, where the workspace has a part finder."""
    if not workspace.has_part_finder:
        return
    st.button(
        "Find them",
        icon=":material/search:",
        on_click=_find_again,
        args=(workspace, photo),
        key="find-parts",
        help="Replaces the box and all parts by those that the network finds. Undo brings them "
        "back.",
    )


def _find_again(workspace: Workspace, photo: OwnPhoto) -> None:
    with error_boundary("The parts can be placed by hand all the same."):
        place_found(workspace, photo)


def show_origin(marks: Marks) -> None:
    """Say below a figure that it rests on parts which were found, where it does."""
    words = _count_found(marks)
    if words:
        st.caption(f":material/search: By {words} found by the network and not checked by anybody.")


def show_confidence(marks: Marks, names: Sequence[str]) -> None:
    """Say which parts were found, and how sure the network is of the surest and the least sure."""
    if not marks.found:
        return
    least, most = (choose(marks.found, key=marks.found.__getitem__) for choose in (min, max))
    surest = f"{names[most]}, {format_percent(marks.found[most])}"
    doubtful = f"{names[least]}, {format_percent(marks.found[least])}"
    found = f"1 of them was found by the network: the {surest}."
    if len(marks.found) > 1:
        found = (
            f"{len(marks.found)} of them were found by the network, most surely the {surest}, "
            f"least surely the {doubtful}."
        )
    st.caption(f"Dashed: {found} Drag one to move it, which makes it yours.")


def _count_found(marks: Marks) -> str:
    count = len(marks.found)
    parts = {0: "", 1: "1 part"}.get(count, f"{count} parts")
    box = "a box" if marks.is_box_found else ""
    return " and ".join(filter(None, (box, parts)))
