"""Training with one click: a category, a device and a button, with the usual settings."""

from collections.abc import Mapping, Sequence
from typing import Literal

import streamlit as st

from explorer.config import PAGES_DIR, is_public
from explorer.data.names import name_categories
from explorer.jobs.store import list_jobs
from explorer.methods.registry import DEFAULT
from explorer.methods.runs import format_run
from explorer.training.modules.runs import name_run
from explorer.ui.shared.errors import error_boundary
from explorer.ui.shared.markdown import escape_markdown
from explorer.ui.shared.training_request import (
    AUTO,
    change_seed,
    find_free_seed,
    list_trainable,
    make_key,
    make_request,
    start,
)
from explorer.ui.shared.words import HELP
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace

PAGE = PAGES_DIR / "training.py"
_SIDEBAR, _MAIN = "sidebar", "main"


@st.fragment
def show_in_sidebar(workspace: Workspace, entries: Sequence[ModuleEntry], current: str) -> None:
    """Show the controls below each other, as a fragment that does not rerun the page.

    Parameters
    ----------
    workspace : Workspace
        With a classifier.
    entries : sequence of ModuleEntry
        Its modules.
    current : str
        The category to begin with, as in ``classes.txt``; empty for the first.
    """
    with error_boundary(), st.container(gap="xsmall"):
        # Another category in the sidebar is one to train, too: the choice begins anew.
        category = _choose_category(workspace, current, f"starter-{current}")
        device = _choose_device(workspace)
        _show_button(workspace, entries, category, device, _SIDEBAR)


def show_in_page(workspace: Workspace) -> None:
    """Show the controls on a page of a workspace without modules, or a link to what is trained."""
    if _is_link_shown(workspace):
        return
    with st.container(horizontal=True, vertical_alignment="bottom", key="starter-in-page"):
        category = _choose_category(workspace, "", "starter-in-page", 280)
        _show_button(workspace, (), category, AUTO, _MAIN)


def show_for(workspace: Workspace, category: str) -> None:
    """Show a button that trains a module for one category, where that is possible."""
    if is_public() or category not in list_trainable(workspace) or _is_link_shown(workspace):
        return
    _show_button(workspace, workspace.list_modules(), category, AUTO, _MAIN)


def _is_link_shown(workspace: Workspace) -> bool:
    """Show a link to the trainings if one is live, and tell if so."""
    is_live = any(job.state.is_live for job in list_jobs(workspace.path))
    if is_live:
        st.page_link(PAGE, label="A training is running: watch it", icon=":material/show_chart:")
    return is_live


def _choose_category(
    workspace: Workspace, current: str, name: str, width: int | Literal["stretch"] = "stretch"
) -> str | None:
    trainable = list_trainable(workspace)
    names = name_categories(trainable)
    return st.selectbox(
        "Train a module for",
        trainable,
        index=trainable.index(current) if current in trainable else 0,
        format_func=lambda name: names.get(name, name),
        key=make_key(name),
        help=HELP["train_category"],
        width=width,
    )


def _choose_device(workspace: Workspace) -> str:
    """Let the user choose a device if there are several; they are known once torch is loaded."""
    devices = workspace.networks.list_devices() if workspace.has_networks else {}
    if len(devices) < 2:
        return AUTO
    return select_device(devices, "starter-device")


def select_device(devices: Mapping[str, str], name: str) -> str:
    """Let the user choose a device, named by its words, or the fastest; `name` is of the widget."""
    words = {AUTO: "the fastest", **devices}
    return st.selectbox(
        "Train on",
        list(words),
        format_func=lambda device: words.get(device, device),
        key=make_key(name),
        help=HELP["train_device"],
    )


def _show_button(
    workspace: Workspace,
    entries: Sequence[ModuleEntry],
    category: str | None,
    device: str,
    place: str,
) -> None:
    # Neither its place nor its state depends on what is chosen, so that a quick click counts.
    is_asked = st.button(
        "Train",
        type="primary",
        icon=":material/model_training:",
        width="stretch" if place == _SIDEBAR else "content",
        key=make_key(f"start-{place}"),
    )
    if category is None:
        return
    method = change_seed(DEFAULT, find_free_seed(workspace, entries, [category], DEFAULT))
    if is_asked:
        start(make_request(workspace, [category], method, device))
    if place == _SIDEBAR:
        words = format_run(name_run(method.settings, method.training))
        st.caption(escape_markdown(f"Trains {words}."), help=HELP["train_usual"])
