"""Parsing settings from text, as users write them on the command line and in forms."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

from explorer.config import ExplorerError
from explorer.settings.declaring import Setting, check_setting, list_settings

T = TypeVar("T")
_MAX_NUMBERS = 16
_MAX_DIGITS = 19  # of a 64-bit integer


def parse_setting(one: Setting, text: str) -> Any:
    """Parse the value of a setting: ``10``, ``1e-3``, a choice, or widths such as ``800x100``.

    Raises
    ------
    ExplorerError
        When the text is not of the setting's type, or the value is not allowed.
    """
    try:
        value = _parse(one.default, text.strip())
    except ValueError as error:
        raise ExplorerError(
            f"{one.words.capitalize()} cannot be {text!r}: {_describe_type(one.default)}."
        ) from error
    check_setting(one, value)
    return value


def _parse(default: Any, text: str) -> Any:
    if isinstance(default, tuple):
        return parse_whole_numbers(text)
    if isinstance(default, int):
        return _parse_whole_number(text)
    return float(text) if isinstance(default, float) else text


def parse_whole_numbers(text: str) -> tuple[int, ...]:
    """Parse whole numbers separated by ``x``, commas or spaces, such as ``800x100``.

    Raises
    ------
    ValueError
        When one is not a whole number, or there are too many.
    """
    numbers = (
        tuple(map(_parse_whole_number, re.split(r"[\s,x]+", text.strip()))) if text.strip() else ()
    )
    if len(numbers) > _MAX_NUMBERS:
        raise ValueError(f"more than {_MAX_NUMBERS} numbers")
    return numbers


def _parse_whole_number(text: str) -> int:
    if len(text) > _MAX_DIGITS + 1:
        raise ValueError("too many digits")
    return int(text)


def _describe_type(default: Any) -> str:
    if isinstance(default, tuple):
        return "it takes whole numbers such as 800x100"
    return f"it takes a {'whole number' if isinstance(default, int) else 'number'}"


def change_settings(settings: T, changes: Mapping[str, Any]) -> T:
    """Return `settings` with the values in `changes`; names that it does not have are ignored."""
    known = {one.name for one in list_settings(settings)}
    own = {name: value for name, value in changes.items() if name in known}
    return replace(settings, **own)  # type: ignore[type-var]
