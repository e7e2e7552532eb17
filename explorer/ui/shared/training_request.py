"""The request for a training: made from what was chosen, checked, and started."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, replace
from itertools import count
from pathlib import Path
from typing import Any

import streamlit as st

from explorer.config import ExplorerError
from explorer.jobs.control import submit
from explorer.jobs.store import list_jobs
from explorer.jobs.types import Job, JobRequest
from explorer.methods.base import TrainedMethod
from explorer.methods.registry import DEFAULT, change_method, get_trained_method
from explorer.settings.declaring import Setting, list_settings
from explorer.settings.parsing import parse_setting
from explorer.training.modules.runs import name_run
from explorer.ui.shared import state
from explorer.ui.shared.errors import explain_error
from explorer.ui.shared.markdown import escape_markdown
from explorer.ui.shared.names import name_training
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace

AUTO = "auto"
METHOD = "method"
USUAL: Mapping[str, Any] = {METHOD: DEFAULT.name}
"""Settings of a training if nothing is filled in."""

LAST_STARTED = f"{state.TRAINING_KEYS}last-started"


def make_key(name: str) -> str:
    """Return the key of a widget that belongs to trainings."""
    return f"{state.TRAINING_KEYS}{name}"


def make_request(
    workspace: Workspace, categories: Sequence[str], method: TrainedMethod, device: str
) -> JobRequest:
    """Make a request to train modules.

    Parameters
    ----------
    workspace : Workspace
        Where to train.
    categories : sequence of str
        As in ``classes.txt``.
    method : TrainedMethod
        With the settings of the modules and of the training; see `make_method`.
    device : str
        A name for `explorer.nn.devices.resolve_device`.

    Raises
    ------
    ExplorerError
        When there is no category, or no such device.
    """
    # It needs torch, which takes 1.8 s to import; pages are drawn before.
    from explorer.nn.devices import (  # noqa: PLC0415
        get_device_key,
        list_devices,
        resolve_device,
    )

    if not categories:
        raise ExplorerError("Choose at least one category.")
    name = resolve_device(device)
    return JobRequest(
        workspace=str(workspace.path),
        categories=tuple(categories),
        run=name_run(method.settings, method.training),
        module=method.settings.describe(),
        training=asdict(method.training),
        device=name,
        device_key=get_device_key(name),
        device_words=list_devices()[name],
    )


def make_method(values: Mapping[str, Any]) -> TrainedMethod:
    """Make a method from what was filled in.

    Parameters
    ----------
    values : Mapping
        ``method`` and its settings, including those of the training; numbers, or text for
        settings that are not numbers. Missing settings have their defaults.

    Raises
    ------
    ExplorerError
        When something is missing or wrong.
    """
    method = get_trained_method(str(values[METHOD]))
    known = {one.name: one for one in list_method_settings(method)}
    changes = {}
    for name, value in values.items():
        if name == METHOD:
            continue
        if value is None:
            raise ExplorerError(f"Fill in a number for {known[name].words}.")
        changes[name] = parse_setting(known[name], value) if isinstance(value, str) else value
    return change_method(method, changes)


def list_method_settings(method: TrainedMethod) -> tuple[Setting, ...]:
    """List the settings of a method's modules and of their training."""
    return *list_settings(method.settings), *list_settings(method.training)


def change_seed(method: TrainedMethod, seed: int) -> TrainedMethod:
    """Return a method that trains with another seed."""
    return replace(method, training=replace(method.training, seed=seed))


def find_free_seed(
    workspace: Workspace,
    entries: Collection[ModuleEntry],
    categories: Collection[str],
    method: TrainedMethod,
) -> int:
    """Return the first seed, from that of `method` on, with which no module would be replaced.

    Modules in training count as well.
    """
    there = {entry.run for entry in entries if entry.category in categories}
    there |= {job.request.run for job in _list_rivals(workspace.path, categories)}
    seeds = count(method.training.seed)
    return next(
        seed
        for seed in seeds
        if name_run(method.settings, change_seed(method, seed).training) not in there
    )


def find_duplicates(request: JobRequest) -> list[str]:
    """Return the categories for which the same module is already in training."""
    rivals = _list_rivals(Path(request.workspace), request.categories)
    there = {name for job in rivals if job.request.run == request.run for name in _list_left(job)}
    return sorted(there & set(request.categories))


def _list_rivals(workspace: Path, categories: Collection[str]) -> list[Job]:
    """Return the live jobs that still train a module for any of the categories."""
    return [
        job
        for job in list_jobs(workspace)
        if job.state.is_live and set(_list_left(job)) & set(categories)
    ]


def _list_left(job: Job) -> list[str]:
    return [name for name in job.request.categories if name not in job.status.measured]


def count_ahead(request: JobRequest) -> int:
    """Return how many trainings would run on the same device before this one."""
    return sum(
        job.state.is_live and job.request.device_key == request.device_key for job in list_jobs()
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
