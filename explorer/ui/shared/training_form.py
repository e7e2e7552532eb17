"""The form that starts a training: which categories, with which settings, on which device."""

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from explorer.config import PAGES_DIR, ExplorerError
from explorer.data.cub import format_category
from explorer.data.names import name_categories
from explorer.jobs.control import submit
from explorer.jobs.store import list_jobs
from explorer.jobs.types import JobRequest
from explorer.methods.runs import format_run
from explorer.ui.shared import state
from explorer.ui.shared.errors import error_boundary, explain_error
from explorer.ui.shared.markdown import escape_markdown
from explorer.ui.shared.names import name_training
from explorer.ui.shared.words import HELP
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace

OPENED = f"{state.TRAINING_KEYS}form-opened"
LAST_STARTED = f"{state.TRAINING_KEYS}last-started"


@st.fragment
def show_form(workspace: Workspace, entries: Sequence[ModuleEntry]) -> None:
    """Show the form as a fragment, so that changing a setting does not rerun the page.

    It is built when it is first opened, because the list of devices needs torch. From then on it is
    part of every page, so that closing it keeps what was filled in.

    Parameters
    ----------
    workspace : Workspace
        With a classifier.
    entries : sequence of ModuleEntry
        Existing modules, some of which may be replaced.
    """
    form = st.expander(
        "Train a module",
        icon=":material/model_training:",
        expanded=not entries,
        key=_key("form"),
        on_change="rerun",
    )
    if form.open:
        st.session_state[OPENED] = True
    if st.session_state.get(OPENED):
        with form, error_boundary():
            _show_form(workspace, entries)


def _show_form(workspace: Workspace, entries: Sequence[ModuleEntry]) -> None:
    # The list of devices needs torch, which takes 1.8 s to import; the page is drawn before.
    from explorer.ui.shared import training_fields  # noqa: PLC0415

    categories = _choose_categories(workspace, entries)
    try:
        request = training_fields.make_request(
            workspace,
            categories,
            training_fields.choose_settings(),
            training_fields.choose_device(),
        )
    except ExplorerError as error:
        st.button("Train", type="primary", disabled=True, width="stretch", key=_key("train"))
        st.caption(f":red[{explain_error(error)}]")
        return
    twin, is_agreed = find_duplicate(request), _ask_to_replace(request, entries)
    ahead = [
        job
        for job in list_jobs()
        if job.state.is_live and job.request.device_key == request.device_key
    ]
    is_asked = st.button(
        "Add to the queue" if ahead else "Train",
        type="primary",
        icon=":material/model_training:",
        disabled=bool(twin) or not is_agreed,
        width="stretch",
        key=_key("train"),
    )
    if twin:
        st.caption(
            f"This very module of {escape_markdown(twin)} is being trained. Change a setting, such "
            "as the seed, to train another beside it."
        )
    elif ahead:
        count = "1 training is" if len(ahead) == 1 else f"{len(ahead)} trainings are"
        st.caption(f"{count} ahead on this device; yours begins by itself when it is free.")
    if is_asked:
        start(request)


def show_quick_start(workspace: Workspace) -> None:
    """Offer to train one category with the default settings if there is no module yet."""
    names = name_categories(list_trainable(workspace))
    if any(job.state.is_live for job in list_jobs(workspace.path)):
        st.page_link(PAGES_DIR / "training.py", label="A training is on its way: watch it")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        category = st.selectbox(
            "Category",
            list(names),
            format_func=names.__getitem__,
            width=280,
            key=_key("quick-category"),
        )
        is_asked = st.button(
            "Train a module",
            type="primary",
            icon=":material/model_training:",
            key=_key("quick"),
        )
    st.caption("Other settings are in the sidebar, under *Train a module*.")
    if is_asked and category is not None:
        from explorer.ui.shared import training_fields  # noqa: PLC0415, as above

        start(
            training_fields.make_request(
                workspace, [category], training_fields.USUAL, training_fields.AUTO
            )
        )


def start(request: JobRequest) -> None:
    """Start a training, and rerun the page."""
    try:
        job = submit(request)
    except ExplorerError as error:
        st.error(explain_error(error), icon=":material/error:")
        return
    st.session_state[LAST_STARTED] = job.id
    words = escape_markdown(f"Training {name_training(request)}")
    st.toast(words, icon=":material/model_training:")
    st.rerun()


def list_trainable(workspace: Workspace) -> list[str]:
    """List the categories with photos to test a module on."""
    with_photos = {photo.category for photo in workspace.held_out}
    return [name for name in workspace.dataset.categories if name in with_photos]


def find_duplicate(request: JobRequest) -> str:
    """Return the name of a category for which the same module is already in training; or empty."""
    for job in list_jobs(Path(request.workspace)):
        common = set(job.request.categories) & set(request.categories)
        if job.state.is_live and job.request.run == request.run and common:
            return format_category(min(common))
    return ""


def _choose_categories(workspace: Workspace, entries: Sequence[ModuleEntry]) -> list[str]:
    trainable = list_trainable(workspace)
    names = name_categories(trainable)
    key = _key(f"categories-{workspace.path}")
    if key not in st.session_state:
        with_module = {entry.category for entry in entries}
        without = [name for name in trainable if name not in with_module]
        st.session_state[key] = (without or trainable)[:1]
    return st.multiselect(
        "Categories",
        trainable,
        format_func=lambda name: names.get(name, name),
        placeholder="Which birds?",
        key=key,
        help=HELP["train_categories"],
    )


def _ask_to_replace(request: JobRequest, entries: Sequence[ModuleEntry]) -> bool:
    """Ask before replacing modules of the same name; True if there are none."""
    there = {entry.category for entry in entries if entry.run == request.run}
    replaced = [format_category(name) for name in request.categories if name in there]
    if not replaced:
        return True
    what = "the module" if len(replaced) == 1 else f"{len(replaced)} modules"
    return st.checkbox(
        f"Replace {what} of these settings",
        key=_key(f"replace-{request.run}-{'-'.join(replaced)}"),
        help=escape_markdown(
            f"{format_run(request.run)}, for {', '.join(replaced)}: each is replaced when its "
            "successor is finished. Change a setting, such as the seed, to keep both."
        ),
    )


def _key(name: str) -> str:
    return f"{state.TRAINING_KEYS}{name}"
