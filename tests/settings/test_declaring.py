import math
from dataclasses import dataclass

import pytest

from explorer.config import ExplorerError
from explorer.settings.declaring import check_settings, describe_range, list_settings, setting


@dataclass(frozen=True)
class Oven:
    heat: float = setting(180.0, "How hot it gets.", label="°C", above=0, high=300)
    share_of_steam: float = setting(0.5, "How wet the air is.", low=0, below=1)
    trays: tuple[int, ...] = setting((2, 4), "Heights of the trays.", low=1, high=9)
    mode: str = setting("fan", "What moves the air.", choices=("fan", "none"))
    owner: str = "a plain field is no setting"


def test_settings_are_the_declared_fields_in_order() -> None:
    names = [one.name for one in list_settings(Oven)]
    assert names == ["heat", "share_of_steam", "trays", "mode"]
    heat, share, _, _ = list_settings(Oven)
    assert (heat.label, share.label) == ("°C", "Share of steam")
    assert heat.info.help == "How hot it gets."
    assert heat.default == 180.0


def test_the_values_of_an_instance_become_the_defaults() -> None:
    assert list_settings(Oven(heat=200.0))[0].default == 200.0
    assert list_settings(Oven)[0].default == 180.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"heat": 0.0}, "The heat must be above 0 and at most 300, not 0.0."),
        ({"heat": 300.5}, "The heat must be above 0 and at most 300, not 300.5."),
        ({"heat": math.nan}, "The heat must be above 0 and at most 300, not nan."),
        ({"heat": math.inf}, "The heat must be above 0 and at most 300, not inf."),
        ({"share_of_steam": 1.0}, "The share of steam must be at least 0 and below 1, not 1.0."),
        ({"trays": (1, 10)}, "Each of the trays must be at least 1 and at most 9, not 10."),
        ({"mode": "grill"}, "Unknown mode 'grill'. Choose one of: fan, none."),
    ],
)
def test_a_value_out_of_range_is_refused_with_the_range(
    changes: dict[str, object], message: str
) -> None:
    with pytest.raises(ExplorerError) as raised:
        check_settings(Oven(**changes))  # type: ignore[arg-type]
    assert str(raised.value) == message


@pytest.mark.parametrize(
    "changes", [{}, {"heat": 300}, {"share_of_steam": 0}, {"trays": (1, 9)}, {"trays": ()}]
)
def test_values_at_an_inclusive_bound_are_allowed(changes: dict[str, object]) -> None:
    check_settings(Oven(**changes))  # type: ignore[arg-type]


def test_large_bounds_are_readable() -> None:
    @dataclass(frozen=True)
    class Big:
        count: int = setting(1, "How many.", low=1, high=1_000_000)

    (count,) = list_settings(Big)
    assert describe_range(count) == "The count must be at least 1 and at most 1,000,000"
