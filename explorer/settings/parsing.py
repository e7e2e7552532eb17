"""Reading settings from text, as people write them on the command line and in forms."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

from explorer.config import ExplorerError
from explorer.settings.declaring import Setting, check_setting, list_settings

T = TypeVar("T")
_MOST_NUMBERS = 16
_MOST_DIGITS = 19  # of a whole number of 64 bits


def parse_setting(one: Setting, text: str) -> Any:
    """Read a value of a setting: ``10``, ``1e-3``, a choice, or widths such as ``800x100``.

    Raises
    ------
    ExplorerError
        When the text is not of the setting's type, or out of its range.
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
        return _parse_whole(text)
    return float(text) if isinstance(default, float) else text


def parse_whole_numbers(text: str) -> tuple[int, ...]:
    """Read whole numbers with ``x``, commas or spaces between them, such as ``800x100``.

    Raises
    ------
    ValueError
        When something else stands there, or they are too many.
    """
    numbers = tuple(map(_parse_whole, re.split(r"[\s,x]+", text.strip()))) if text.strip() else ()
    if len(numbers) > _MOST_NUMBERS:
        raise ValueError(f"more than {_MOST_NUMBERS} numbers")
    return numbers


def _parse_whole(text: str) -> int:
    if len(text) > _MOST_DIGITS + 1:
        raise ValueError("too many digits")
    return int(text)


def _describe_type(default: Any) -> str:
    if isinstance(default, tuple):
        return "it takes whole numbers such as 800x100"
    return f"it takes a {'whole number' if isinstance(default, int) else 'number'}"


def change_settings(settings: T, changes: Mapping[str, Any]) -> T:
    """Return `settings` with those of `changes` that it knows; the others are left out."""
    known = {one.name for one in list_settings(settings)}
    own = {name: value for name, value in changes.items() if name in known}
    return replace(settings, **own)  # type: ignore[type-var]
