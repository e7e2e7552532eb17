from dataclasses import dataclass
from typing import Any

import pytest

from explorer.config import ExplorerError
from explorer.settings.declaring import list_settings, setting
from explorer.settings.parsing import change_settings, parse_setting, parse_whole_numbers


@dataclass(frozen=True)
class Example:
    epochs: int = setting(60, "How long.", low=1, high=1000)
    rate: float = setting(1e-3, "How fast.", above=0)
    widths: tuple[int, ...] = setting((), "How wide.", low=1, high=99_999)
    device: str = setting("auto", "Where.", choices=("auto", "cpu"))


SETTINGS = {one.name: one for one in list_settings(Example)}


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("epochs", " 7 ", 7),
        ("rate", "1e-4", 1e-4),
        ("rate", "2", 2.0),
        ("widths", "800x100", (800, 100)),
        ("widths", "800, 100", (800, 100)),
        ("widths", "800 100", (800, 100)),
        ("widths", "", ()),
        ("device", " cpu", "cpu"),
    ],
)
def test_text_becomes_a_value_of_the_type_of_the_default(name: str, text: str, value: Any) -> None:
    parsed = parse_setting(SETTINGS[name], text)
    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("epochs", "1.5", "Epochs cannot be '1.5': it takes a whole number."),
        ("epochs", "", "Epochs cannot be '': it takes a whole number."),
        ("epochs", "0", "The epochs must be at least 1 and at most 1,000, not 0."),
        ("epochs", "9" * 5000, None),
        ("rate", "fast", "Rate cannot be 'fast': it takes a number."),
        ("rate", "nan", "The rate must be above 0, not nan."),
        ("widths", "8x-1", "Each of the widths must be at least 1 and at most 99,999, not -1."),
        ("widths", "axb", "Widths cannot be 'axb': it takes whole numbers such as 800x100."),
        ("widths", "x".join("1" * 17), None),
        ("device", "gpu", "Unknown device 'gpu'. Choose one of: auto, cpu."),
    ],
)
def test_other_text_is_refused_with_what_would_be_allowed(
    name: str, text: str, message: str | None
) -> None:
    with pytest.raises(ExplorerError) as raised:
        parse_setting(SETTINGS[name], text)
    if message is not None:
        assert str(raised.value) == message


def test_sixteen_numbers_are_the_most() -> None:
    assert parse_whole_numbers("x".join("1" * 16)) == (1,) * 16
    with pytest.raises(ValueError, match="more than 16 numbers"):
        parse_whole_numbers("x".join("1" * 17))


def test_changes_of_other_dataclasses_are_ignored() -> None:
    changed = change_settings(Example(), {"epochs": 5, "beta": 10.0})
    assert changed == Example(epochs=5)
