"""Form fields for the settings and the device of a training, and the request made from them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import streamlit as st

from explorer.config import ExplorerError
from explorer.jobs.types import JobRequest
from explorer.methods.base import TrainedMethod
from explorer.methods.registry import (
    DEFAULT,
    change_method,
    get_trained_method,
    list_trained,
)
from explorer.nn.devices import (
    describe_device,
    get_device_key,
    list_devices,
    resolve_device,
)
from explorer.settings.declaring import Setting, list_settings
from explorer.settings.parsing import parse_setting
from explorer.training.modules.runs import name_run
from explorer.ui.shared import state
from explorer.ui.shared.markdown import escape_markdown
from explorer.ui.shared.words import HELP
from explorer.workspace.workspace import Workspace

AUTO = "auto"
METHOD = "method"
USUAL: Mapping[str, Any] = {METHOD: DEFAULT.name}
"""Settings of a training if nothing is filled in."""

_LARGEST_WHOLE = 2**53 - 1  # integers up to here are exact in a browser
_SMALLEST = 1e-9  # distance from a bound that is excluded


def make_request(
    workspace: Workspace, categories: Sequence[str], values: Mapping[str, Any], device: str
) -> JobRequest:
    """Check what was filled in, and make a request from it.

    Parameters
    ----------
    workspace : Workspace
        Where to train.
    categories : sequence of str
        As in ``classes.txt``.
    values : Mapping
        ``method`` and its settings, including those of the training; numbers, or text for
        settings that are not numbers. Missing settings have their defaults.
    device : str
        A name for `explorer.nn.devices.resolve_device`.

    Raises
    ------
    ExplorerError
        When something is missing or wrong.
    """
    if not categories:
        raise ExplorerError("Choose at least one category.")
    method = make_method(values)
    module, training = method.settings, method.training
    name = resolve_device(device)
    return JobRequest(
        workspace=str(workspace.path),
        categories=tuple(categories),
        run=name_run(module, training),
        module=module.describe(),
        training=asdict(training),
        device=name,
        device_key=get_device_key(name),
        device_words=list_devices()[name],
    )


def make_method(values: Mapping[str, Any]) -> TrainedMethod:
    """Make a method from what was filled in; see `make_request`."""
    method = get_trained_method(str(values[METHOD]))
    known = {one.name: one for one in _list_settings(method)}
    changes = {}
    for name, value in values.items():
        if name == METHOD:
            continue
        if value is None:
            raise ExplorerError(f"Fill in a number for {known[name].words}.")
        changes[name] = parse_setting(known[name], value) if isinstance(value, str) else value
    return change_method(method, changes)


def _list_settings(method: TrainedMethod) -> tuple[Setting, ...]:
    return *list_settings(method.settings), *list_settings(method.training)


def choose_settings() -> dict[str, Any]:
    """Show the fields of a method and its settings, and return their values."""
    methods = {method.name: method for method in list_trained()}
    name = st.selectbox(
        "Method",
        list(methods),
        format_func=lambda name: methods[name].title if name in methods else name,
        key=_key(METHOD),
        help="\n\n".join(f"**{one.title}**: {one.summary}" for one in methods.values()),
    )
    method = methods[name]
    values: dict[str, Any] = {METHOD: name}
    usual = [one for one in _list_settings(method) if not one.info.is_advanced]
    values |= _show_fields(method, usual)
    if st.toggle("More settings", key=_key("more")):
        values |= _show_fields(
            method, [one for one in _list_settings(method) if one.info.is_advanced]
        )
    return values


def _show_fields(method: TrainedMethod, settings: Sequence[Setting]) -> dict[str, Any]:
    columns = st.columns(2)
    values = {}
    for place, one in enumerate(settings):
        with columns[place % 2]:
            values[one.name] = _show_field(method, one)
    return values


def _show_field(method: TrainedMethod, one: Setting) -> Any:
    # A setting whose default differs for this method does not share its value with other methods.
    general = {own.name: own.default for own in list_settings(type(method.settings))}
    is_own = general.get(one.name, one.default) != one.default
    key = _key(f"{method.name}-{one.name}" if is_own else one.name)
    if not isinstance(one.default, int | float):
        return st.text_input(
            one.label, placeholder=one.info.default_text, max_chars=60, key=key, help=one.info.help
        )
    kind = type(one.default)
    low, high = _find_bounds(one)
    return st.number_input(
        one.label,
        min_value=kind(low),
        max_value=kind(high),
        value=one.default,
        step=None if kind is int else max(one.default, 1.0) / 10,
        format=None if kind is int else "%g",
        key=key,
        help=one.info.help,
    )


def _find_bounds(one: Setting) -> tuple[float, float]:
    info = one.info
    low = info.low if info.above is None else info.above + _SMALLEST
    high = info.high if info.below is None else info.below - _SMALLEST
    return (
        -_LARGEST_WHOLE if low is None else low,
        min(_LARGEST_WHOLE, _LARGEST_WHOLE if high is None else high),
    )


def choose_device() -> str:
    """Show the devices of this machine, and return the chosen one."""
    words = {AUTO: "Automatic", **list_devices()}
    device = st.selectbox(
        "Compute on",
        list(words),
        format_func=lambda name: words.get(name, name),
        key=_key("device"),
        help=HELP["train_device"],
    )
    # The box is too narrow for the name of a card and its free memory.
    st.caption(escape_markdown(describe_device(resolve_device(device))))
    return device


def _key(name: str) -> str:
    return f"{state.TRAINING_KEYS}{name}"
