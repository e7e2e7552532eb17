"""What a page shows in place of something not computed yet: the command that computes it."""

import shlex
from functools import partial
from pathlib import Path

import streamlit as st

from explorer.config import CUB_ROOT_VARIABLE, DEMO_WORKSPACE, PAGES_DIR, is_public
from explorer.data.photo_folders import remember_photo_folder
from explorer.ui.shared import cached, state
from explorer.ui.shared.errors import explain_reason
from explorer.ui.shared.fetching import is_fetching, show_ways_to_photos
from explorer.ui.shared.links import name_workspace
from explorer.workspace.photos import check_photos
from explorer.workspace.workspace import Workspace

_COMPLETE = "The numbers are complete without them."


def show_no_metrics(workspace: Workspace) -> None:
    """Say that a module has not been measured, and show the command that measures it."""
    st.info("This module has not been measured yet. Measure all modules, then reload this page:")
    show_workspace_command("evaluate", workspace)


def show_no_photos(workspace: Workspace, without: str = _COMPLETE) -> None:
    """Say that the photos of a workspace are missing, and how to get them; nothing if they are.

    `without` says what a page is without photos.
    """
    if workspace.dataset.has_photos:
        return
    if is_public():
        st.info(
            f"The photos of this workspace are not on this server. {without}",
            icon=":material/no_photography:",
        )
        return
    st.info(
        "The photos of this workspace are not on this computer. Fetch them, or name your CUB "
        f"folder below or in `{CUB_ROOT_VARIABLE}`. {without}",
        icon=":material/no_photography:",
    )
    _show_painted_birds()
    with st.expander(":material/download: Get the photos", expanded=is_fetching()):
        show_ways_to_photos(partial(_remember_photos, workspace))
        show_command("python -m explorer fetch cub")
    for reason in cached.list_refused_photos(workspace).values():
        st.caption(explain_reason(reason))


def _show_painted_birds() -> None:
    """Offer the birds whose photos come with the explorer, where they are among the workspaces."""
    for name, path in state.name_workspaces().items():
        if path == DEMO_WORKSPACE.resolve():
            st.button(
                f"Show “{name}” instead",
                icon=":material/palette:",
                on_click=state.choose_workspace,
                args=(name,),
                key="painted-birds",
            )


def _remember_photos(workspace: Workspace, folder: Path) -> None:
    check_photos(workspace, folder)
    remember_photo_folder(folder)


def show_own_photo_link() -> None:
    """Link to the page that takes a visitor's own photo, which needs no others."""
    st.page_link(
        PAGES_DIR / "your_photo.py",
        label="Explain a photo of your own",
        icon=":material/upload:",
        query_params=name_workspace(),
    )


def show_command(command: str) -> None:
    """Show a command to type; visitors of a public server cannot run it, and see no folders."""
    if is_public():
        st.markdown("Whoever runs this server can do so.")
        return
    st.code(command, language=None, wrap_lines=True)


def show_workspace_command(command: str, workspace: Workspace, *options: str) -> None:
    """Show a command of the explorer for a workspace, as `show_command` does."""
    words = ("python", "-m", "explorer", command, str(workspace.path), *options)
    show_command(shlex.join(words))
