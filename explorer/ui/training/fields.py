"""Form fields for the method, the settings and the device of a training."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from explorer.config import ExplorerError
from explorer.methods.base import TrainedMethod
from explorer.methods.registry import DEFAULT, list_module_settings, list_trained
from explorer.nn.devices import describe_device, list_devices, resolve_device
from explorer.settings.declaring import Setting, list_settings
from explorer.settings.parsing import parse_setting
from explorer.training.modules.settings import TrainingSettings
from explorer.ui.shared.errors import explain_error
from explorer.ui.shared.markdown import escape_markdown
from explorer.ui.shared.training_request import METHOD, list_method_settings, make_key
from explorer.ui.shared.training_starter import select_device

_LARGEST_WHOLE = 2**53 - 1  # integers up to here are exact in a browser
_SMALLEST = 1e-9  # distance from a bound that is excluded
_FIELD_WIDTH = 150


def choose_settings() -> tuple[dict[str, Any], list[str]]:
    """Show the fields of all settings.

    Returns
    -------
    dict
        Values of the settings that the method uses, by name.
    list of str
        Labels of the fields whose text is no value, which say so themselves.
    """
    methods = {method.name: method for method in list_trained()}
    with st.container(horizontal=True, vertical_alignment="bottom", key=make_key("method-row")):
        name = st.selectbox(
            "Method",
            list(methods),
            index=list(methods).index(DEFAULT.name),
            format_func=lambda name: methods[name].title if name in methods else name,
            key=make_key(METHOD),
            help="\n\n".join(f"**{one.title}**: {one.summary}" for one in methods.values()),
            width=280,
        )
        has_all = st.toggle("More settings", key=make_key("more"))
    method = methods[name]
    values: dict[str, Any] = {METHOD: name}
    wrong: list[str] = []
    for title, settings in (
        ("The module", list_module_settings()),
        ("Its training", list_settings(TrainingSettings)),
    ):
        st.markdown(f"**{title}**")
        shown = [one for one in settings if has_all or not one.info.is_advanced]
        found = _show_fields(method, shown)
        values |= found
        wrong += [one.label for one in shown if not _is_value(one, found.get(one.name))]
    return values, wrong


def _is_value(one: Setting, given: Any) -> bool:
    return not isinstance(given, str) or not _explain(one, given)


def _explain(one: Setting, text: str) -> str:
    """Say why a text is no value of a setting; empty if it is one."""
    try:
        parse_setting(one, text)
    except ExplorerError as error:
        return explain_error(error)
    return ""


def _show_fields(method: TrainedMethod, settings: Sequence[Setting]) -> dict[str, Any]:
    own = {one.name: one for one in list_method_settings(method)}
    values = {}
    with st.container(horizontal=True, vertical_alignment="top"):
        for one in settings:
            if one.name in own:
                values[one.name] = _show_field(method, own[one.name])
            else:
                _show_unused(method, one)
    return values


def _show_unused(method: TrainedMethod, one: Setting) -> None:
    """Show a setting that the method does not have, and which methods do."""
    users = [
        other.title
        for other in list_trained()
        if one.name in {own.name for own in list_settings(other.settings)}
    ]
    st.number_input(
        one.label,
        value=None,
        placeholder="not used",
        disabled=True,
        key=make_key(f"unused-{one.name}"),
        help=f"{method.title} has no such setting. It belongs to {', '.join(users)}. "
        + one.info.help,
        width=_FIELD_WIDTH,
    )


def _show_field(method: TrainedMethod, one: Setting) -> Any:
    # A setting whose default differs for this method does not share its value with other methods.
    general = {own.name: own.default for own in list_settings(type(method.settings))}
    is_own = general.get(one.name, one.default) != one.default
    key = make_key(f"{method.name}-{one.name}" if is_own else one.name)
    if not isinstance(one.default, int | float):
        return _show_text(one, key)
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
        width=_FIELD_WIDTH,
    )


def _show_text(one: Setting, key: str) -> str:
    """Show a field for text, and below it what is wrong with the text."""
    with st.container(width=_FIELD_WIDTH, gap="xxsmall"):
        text = st.text_input(
            one.label,
            placeholder=one.info.default_text,
            max_chars=60,
            key=key,
            help=one.info.help,
        )
        if problem := _explain(one, text):
            st.caption(f":red[{problem}]")
    return text


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
    return select_device(list_devices(), "device")


def show_device(device: str) -> None:
    """Say what is known of a device; its name and its free memory do not fit into the box."""
    st.caption(escape_markdown(f"Trains on the {describe_device(resolve_device(device))}."))
