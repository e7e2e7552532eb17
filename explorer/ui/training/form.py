"""The form that starts a training: which categories, with which settings, on which device."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from explorer.config import PAGES_DIR, ExplorerError
from explorer.data.cub import format_category
from explorer.jobs.control import submit
from explorer.jobs.store import list_jobs
from explorer.jobs.types import JobRequest
from explorer.ui.shared import state
from explorer.ui.shared.components import error_boundary, escape_markdown, explain_error
from explorer.ui.shared.names import name_categories, name_training
from explorer.ui.shared.words import HELP
from explorer.workspace.layout import ModuleEntry, format_run, name_run

if TYPE_CHECKING:
    from explorer.nn.settings import ModuleSettings
    from explorer.training.modules.settings import TrainingSettings
    from explorer.workspace.workspace import Workspace

OPENED = f"{state.TRAINING_KEYS}form-opened"
LAST_STARTED = f"{state.TRAINING_KEYS}last-started"
METHODS = {"srae": "SRAE", "nn": "NN", "sae": "SAE", "jointsae": "JointSAE"}
_MOST_WIDTHS, _WIDEST = 6, 16_384
_AUTO = "auto"


@st.fragment
def show_form(workspace: "Workspace", entries: Sequence[ModuleEntry]) -> None:
    """Show the form; it runs by itself, so that a setting does not draw the page anew.

    It is laid out when it is first opened, for what it offers takes torch to be known. From then
    on it is there on every page, so that closing it forgets nothing.

    Parameters
    ----------
    workspace : Workspace
        With a classifier.
    entries : sequence of ModuleEntry
        Modules that are there, to tell what would be replaced.
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


def _show_form(workspace: "Workspace", entries: Sequence[ModuleEntry]) -> None:
    categories = _choose_categories(workspace, entries)
    try:
        request = make_request(workspace, categories, _choose_settings(), _choose_device())
    except ExplorerError as error:
        st.button("Train", type="primary", disabled=True, width="stretch", key=_key("train"))
        st.caption(f":red[{explain_error(error)}]")
        return
    twin, is_agreed = find_twin(request), _ask_to_replace(request, entries)
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


def show_quick_start(workspace: "Workspace") -> None:
    """Offer to train one category with the usual settings, where there is no module yet."""
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
        start(make_request(workspace, [category], {}, _AUTO))


def start(request: JobRequest) -> None:
    """Start a training, and draw the page anew with it."""
    try:
        job = submit(request)
    except ExplorerError as error:
        st.error(explain_error(error), icon=":material/error:")
        return
    st.session_state[LAST_STARTED] = job.id
    words = escape_markdown(f"Training {name_training(request)}")
    st.toast(words, icon=":material/model_training:")
    st.rerun()


def list_trainable(workspace: "Workspace") -> list[str]:
    """List the categories that have photos to test a module on."""
    with_photos = {photo.category for photo in workspace.held_out}
    return [name for name in workspace.dataset.categories if name in with_photos]


def make_request(
    workspace: "Workspace", categories: Sequence[str], values: dict[str, Any], device: str
) -> JobRequest:
    """Check what was filled in, and write it as a request.

    Parameters
    ----------
    workspace : Workspace
        Where to train.
    categories : sequence of str
        As in ``classes.txt``.
    values : dict
        Fields of ``ModuleSettings`` and ``TrainingSettings``; ``widths`` as text. What is missing
        is as usual.
    device : str
        A name for `explorer.nn.devices.resolve_device`.

    Raises
    ------
    ExplorerError
        When something is missing or wrong.
    """
    from explorer.nn.devices import get_device_key, list_devices, resolve_device  # noqa: PLC0415

    if not categories:
        raise ExplorerError("Choose at least one category.")
    module, training = make_settings(values)
    name = resolve_device(device)
    return JobRequest(
        workspace=str(workspace.path),
        categories=tuple(categories),
        run=name_run(module, training),
        module=asdict(module),
        training=asdict(training),
        device=name,
        device_key=get_device_key(name),
        device_words=list_devices()[name],
    )


def make_settings(values: dict[str, Any]) -> "tuple[ModuleSettings, TrainingSettings]":
    """Make settings of what was filled in; see `make_request`."""
    from explorer.nn.settings import ModuleSettings  # noqa: PLC0415 (brings torch along)
    from explorer.training.modules.settings import TrainingSettings  # noqa: PLC0415

    empty = [name for name, value in values.items() if value is None]
    if empty:
        raise ExplorerError(f"Fill in a number for {empty[0].replace('_', ' ')}.")
    filled = {**values, "widths": parse_widths(values.get("widths", ""))}
    of_module = asdict(ModuleSettings()).keys() & filled
    module = ModuleSettings(**{name: filled[name] for name in of_module})
    return module, TrainingSettings(**{n: v for n, v in filled.items() if n not in of_module})


def parse_widths(text: str) -> tuple[int, ...]:
    """Read widths such as ``800, 100``.

    Raises
    ------
    ExplorerError
        When they are not a few whole numbers of a bearable size.
    """
    words = text.replace(",", " ").replace("x", " ").split()
    if not all(word.isascii() and word.isdigit() for word in words):
        raise ExplorerError(f"Widths are whole numbers such as 800, 100, not {text!r}.")
    widths = tuple(int(word[:9]) for word in words)
    if len(widths) > _MOST_WIDTHS or any(not 1 <= width <= _WIDEST for width in widths):
        raise ExplorerError(
            f"Widths are at most {_MOST_WIDTHS} numbers between 1 and {_WIDEST:,}, not {text!r}."
        )
    return widths


def find_twin(request: JobRequest) -> str:
    """Return the name of a category whose very module is being trained already, or nothing."""
    for job in list_jobs(Path(request.workspace)):
        common = set(job.request.categories) & set(request.categories)
        if job.state.is_live and job.request.run == request.run and common:
            return format_category(min(common))
    return ""


def _choose_categories(workspace: "Workspace", entries: Sequence[ModuleEntry]) -> list[str]:
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


def _choose_settings() -> dict[str, Any]:
    from explorer.nn.settings import ModuleSettings  # noqa: PLC0415 (brings torch along)
    from explorer.training.modules.settings import TrainingSettings  # noqa: PLC0415

    usual = {**asdict(ModuleSettings()), **asdict(TrainingSettings())}
    values: dict[str, Any] = {
        "method": st.selectbox(
            "Method",
            list(METHODS),
            format_func=METHODS.__getitem__,
            key=_key("method"),
            help=HELP["method"],
        )
    }

    def ask(label: str, name: str, low: float, high: float) -> None:
        kind = type(usual[name])
        values[name] = st.number_input(
            label,
            min_value=kind(low),
            max_value=kind(high),
            value=usual[name],
            step=None if kind is int else kind(max(usual[name], 1.0) / 10),
            format=None if kind is int else "%g",
            key=_key(name),
            help=HELP[name],
        )

    left, right = st.columns(2)
    with left:
        ask("x-features", "x_features", 1, 64)
        ask("β", "beta", 0, 1e6)
        ask("Epochs", "epochs", 1, 1_000_000)
    with right:
        ask("Seed", "seed", 0, 2**31)
        ask("q", "q", 1e-6, 1e9)
        values["widths"] = st.text_input(
            "Widths", placeholder="by Z", max_chars=60, key=_key("widths"), help=HELP["widths"]
        )
    if st.toggle("More settings", key=_key("more")):
        left, right = st.columns(2)
        with left:
            ask("Pretraining", "pretrain_epochs", 0, 10_000)
            ask("Learning rate", "learning_rate", 1e-8, 1)
            ask("Pull-away", "pull_away", 0, 1e6)
        with right:
            ask("Batch size", "batch_size", 1, 65_536)
            ask("Weight decay", "weight_decay", 0, 1)
    return values


def _choose_device() -> str:
    from explorer.nn.devices import (  # noqa: PLC0415 (brings torch along)
        describe_device,
        list_devices,
        resolve_device,
    )

    words = {_AUTO: "Automatic", **list_devices()}
    device = st.selectbox(
        "Compute on",
        list(words),
        format_func=lambda name: words.get(name, name),
        key=_key("device"),
        help=HELP["train_device"],
    )
    # Below the box, which is too narrow for a card's name and its free memory.
    st.caption(escape_markdown(describe_device(resolve_device(device))))
    return device


def _ask_to_replace(request: JobRequest, entries: Sequence[ModuleEntry]) -> bool:
    """Ask before modules of the same name are replaced; True where there is nothing to ask."""
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
