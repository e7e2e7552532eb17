"""Declaring settings as dataclass fields that carry their help text, range and choices.

The command line, the forms in the app, the parser of ``srae:beta=10``, help texts and the table in
the README are all made from these fields. A new setting is one more field.
"""

import math
from collections.abc import Iterator
from dataclasses import Field, dataclass, field, fields
from typing import Any

from explorer.config import ExplorerError

_INFO = "setting"


@dataclass(frozen=True)
class Info:
    """Everything about a setting besides its name, type and default.

    Attributes
    ----------
    help : str
        One or two plain sentences.
    label : str
        Short name in forms, such as ``"β"``.
    low, high : float or None
        Inclusive bounds; None for no bound.
    above, below : float or None
        Exclusive bounds; None for no bound.
    choices : tuple of str
        The allowed values of a string; empty if any value is allowed.
    default_text : str
        Describes a default that stands for another value, such as ``"in proportion to Z"``.
    is_advanced : bool
        Whether forms show it under *More settings*.
    """

    help: str
    label: str = ""
    low: float | None = None
    high: float | None = None
    above: float | None = None
    below: float | None = None
    choices: tuple[str, ...] = ()
    default_text: str = ""
    is_advanced: bool = False


@dataclass(frozen=True)
class Setting:
    """One setting of a dataclass.

    Attributes
    ----------
    name : str
        Name of the field.
    default : object
        A number, a string or a tuple of integers.
    info : Info
        Everything else.
    """

    name: str
    default: Any
    info: Info

    @property
    def words(self) -> str:
        """The name with spaces."""
        return self.name.replace("_", " ")

    @property
    def label(self) -> str:
        """The short name in forms."""
        return self.info.label or self.words.capitalize()


def setting(default: Any, help: str, **details: Any) -> Any:
    """Declare a setting: the default of a dataclass field, with its help and range.

    Parameters
    ----------
    default : object
        A number, a string or a tuple of integers.
    help : str
        One or two plain sentences.
    **details
        Other fields of `Info`.
    """
    return field(default=default, metadata={_INFO: Info(help, **details)})


def list_settings(kind: Any) -> tuple[Setting, ...]:
    """List the settings of a dataclass, or of an instance, whose values become the defaults."""
    return tuple(_iterate(kind))


def _iterate(kind: Any) -> Iterator[Setting]:
    for one in fields(kind):
        if _INFO in one.metadata:
            default = one.default if isinstance(kind, type) else getattr(kind, one.name)
            yield Setting(one.name, default, _get_info(one))


def _get_info(one: Field[Any]) -> Info:
    info: Info = one.metadata[_INFO]
    return info


def check_settings(settings: Any) -> None:
    """Raise `ExplorerError` if the value of any setting of `settings` is not allowed."""
    for one in list_settings(settings):
        check_setting(one, one.default)


def check_setting(one: Setting, value: Any) -> None:
    """Raise `ExplorerError` if `value` is not allowed for a setting."""
    choices = one.info.choices
    if choices and value not in choices:
        raise ExplorerError(f"Unknown {one.words} {value!r}. Choose one of: {', '.join(choices)}.")
    for number in value if isinstance(value, tuple) else (value,):
        if isinstance(number, int | float) and not _is_inside(one.info, number):
            raise ExplorerError(f"{describe_range(one)}, not {number!r}.")


def _is_inside(info: Info, number: float) -> bool:
    # Every comparison with NaN is false, so it must be excluded explicitly.
    return not (
        math.isnan(number)
        or (info.low is not None and number < info.low)
        or (info.high is not None and number > info.high)
        or (info.above is not None and number <= info.above)
        or (info.below is not None and number >= info.below)
    )


def describe_range(one: Setting) -> str:
    """Describe the range of a setting, as in ``"The learning rate must be above 0"``."""
    info = one.info
    bounds = []
    if info.above is not None:
        bounds.append(f"above {_format(info.above)}")
    if info.low is not None:
        bounds.append(f"at least {_format(info.low)}")
    if info.high is not None:
        bounds.append(f"at most {_format(info.high)}")
    if info.below is not None:
        bounds.append(f"below {_format(info.below)}")
    subject = "Each of the" if isinstance(one.default, tuple) else "The"
    return f"{subject} {one.words} must be {' and '.join(bounds) or 'a number'}"


def _format(number: float) -> str:
    return f"{int(number):,}" if number == int(number) else f"{number:g}"
