"""The form that starts a training: which categories, with which settings, on which device."""

from collections.abc import Sequence

import streamlit as st

from explorer.config import ExplorerError
from explorer.data.cub import format_category
from explorer.data.names import join_words, name_categories
from explorer.jobs.types import JobRequest
from explorer.methods.base import TrainedMethod
from explorer.methods.runs import format_run
from explorer.training.modules.plan import plan_training
from explorer.training.modules.settings import PASS_PHOTOS, TrainingSettings
from explorer.ui.shared import state
from explorer.ui.shared.errors import error_boundary, explain_error
from explorer.ui.shared.markdown import escape_markdown
from explorer.ui.shared.training_request import (
    change_seed,
    count_ahead,
    find_duplicates,
    find_free_seed,
    list_trainable,
    make_key,
    make_method,
    make_request,
    start,
)
from explorer.ui.shared.words import HELP
from explorer.workspace.workspace import Workspace

_AGREED = make_key("agreed")
_MOST_NAMES = 3


@st.fragment
def show_form(workspace: Workspace) -> None:
    """Show the form as a fragment, so that changing a setting does not rerun the page.

    Parameters
    ----------
    workspace : Workspace
        With a classifier.
    """
    # The list of devices needs torch, which takes 1.8 s to import; the page is drawn before.
    from explorer.ui.training import fields  # noqa: PLC0415

    agreed = st.session_state.pop(_AGREED, None)
    if agreed is not None:
        start(agreed)
    with error_boundary():
        # The list of categories may grow by lines; the button beside it stays where it is.
        wide, narrow, last = st.columns([5, 3, 2])
        with wide:
            categories = _choose_categories(workspace)
        with narrow:
            device = fields.choose_device()
        told = st.container(gap="small")
        values, wrong = fields.choose_settings()
        with last:
            # Without a category it can be clicked: a quick click after choosing one counts.
            is_asked = st.button(
                "Train",
                type="primary",
                icon=":material/model_training:",
                width="stretch",
                key=make_key("train"),
                disabled=bool(wrong),
            )
        with told:
            if wrong:
                names = join_words([f"“{label}”" for label in wrong])
                st.caption(f":red[Correct {names} below.]")
                return
            try:
                method = make_method(values)
                request = make_request(workspace, categories, method, device)
                _show_plan(workspace, request, method.training)
                fields.show_device(device)
            except ExplorerError as error:
                show = st.error if is_asked else st.caption
                show(f":red[{explain_error(error)}]")
                return
            _show_queue(workspace, request)
            if is_asked:
                _start(workspace, request, method)


def _choose_categories(workspace: Workspace) -> list[str]:
    """Let the user choose categories, beginning with the one that all pages explain."""
    trainable = list_trainable(workspace)
    names = name_categories(trainable)
    selection = state.get_selection()
    current = trainable[0] if selection is None else selection.entry.category
    return st.multiselect(
        "Categories",
        trainable,
        default=[current] if current in trainable else [],
        format_func=lambda name: names.get(name, name),
        placeholder="Which birds?",
        key=make_key(f"categories-{workspace.path}-{current}"),
        help=HELP["train_categories"],
    )


def _show_plan(workspace: Workspace, request: JobRequest, asked: TrainingSettings) -> None:
    """Say how many epochs are run, which are fewer than asked for over many photos."""
    plan = plan_training(workspace, request.categories[0], asked)
    training, photos = plan.training, f"{plan.photos:,} photos"
    about = "at most " if asked.patience else "about " if len(request.categories) > 1 else ""
    if training.epochs == asked.epochs:
        words = f"Runs {about}{training.epochs:,} epochs over {photos}"
    else:
        words = (
            f"Runs {about}**{training.epochs:,} of the {asked.epochs:,} epochs**: over {photos}, "
            f"they take as many steps as {asked.epochs:,} epochs over {PASS_PHOTOS:,}"
        )
    if training.pretrain_epochs:
        words += f", after {training.pretrain_epochs:,} epochs of pretraining for each layer"
    st.markdown(f"{words}.")


def _show_queue(workspace: Workspace, request: JobRequest) -> None:
    """Say if such a module exists or is being trained, and if others are trained before."""
    twins, ahead = find_duplicates(request), count_ahead(request)
    if twins:
        st.caption(
            f"This very module of {escape_markdown(format_category(twins[0]))} is being trained. "
            "Change a setting, such as the seed, to train another beside it."
        )
        return
    if there := _find_existing(workspace, request):
        names = join_words([*map(format_category, there[:_MOST_NAMES])])
        if len(there) > _MOST_NAMES:
            names = f"{len(there)} of these categories"
        st.caption(
            f":material/info: **{escape_markdown(format_run(request.run))}** exists for "
            f"{escape_markdown(names)}. “Train” first asks whether to replace it, or to train "
            "another beside it with the next free seed."
        )
    if ahead:
        count = "1 training is" if ahead == 1 else f"{ahead} trainings are"
        st.caption(f"{count} ahead on this device. Yours starts when it is free.")


def _start(workspace: Workspace, request: JobRequest, method: TrainedMethod) -> None:
    """Start a training; ask first if modules would be replaced, and refuse to train one twice."""
    twins = find_duplicates(request)
    if twins:
        st.warning("This module is being trained already.", icon=":material/model_training:")
        return
    replaced = _find_existing(workspace, request)
    if not replaced:
        start(request)
        return
    entries = workspace.list_modules()
    seed = find_free_seed(workspace, entries, request.categories, method)
    beside = make_request(workspace, request.categories, change_seed(method, seed), request.device)
    _ask_to_replace(request, beside, replaced)


def _find_existing(workspace: Workspace, request: JobRequest) -> list[str]:
    """Return the categories that have a module of this method, these settings and this seed."""
    there = {entry.category for entry in workspace.list_modules() if entry.run == request.run}
    return [name for name in request.categories if name in there]


@st.dialog("There is such a module")
def _ask_to_replace(request: JobRequest, beside: JobRequest, replaced: Sequence[str]) -> None:
    names = escape_markdown(", ".join(map(format_category, replaced)))
    st.markdown(
        f"**{escape_markdown(format_run(request.run))}** exists for {names}. The same settings and "
        "the same seed give the same module again, unless the network or its photos have changed."
    )
    choices = (
        (f"Train another with seed {beside.training['seed']}", "beside", beside),
        (
            "Replace it" if len(replaced) == 1 else f"Replace {len(replaced)} modules",
            "in-place",
            request,
        ),
    )
    for label, name, chosen in choices:
        is_chosen = st.button(label, key=make_key(f"train-{name}"), on_click=_agree, args=(chosen,))
        if is_chosen:
            st.rerun()
    st.caption("A module that is replaced stays as it is until the new one is finished.")


def _agree(request: JobRequest) -> None:
    """Remember what was agreed to; the form starts it in the next run."""
    st.session_state[_AGREED] = request
