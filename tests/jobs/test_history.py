from pathlib import Path

import pytest

from explorer.config import Progress
from explorer.jobs.history import Pace, format_record, is_recorded, list_columns, load_history
from explorer.jobs.store import HISTORY_FILE

FIRST = Progress("Pretraining", 1, 3, {"reconstruction": 0.5})
SECOND = Progress("Training", 2, 3, {"total": 2.0, "reconstruction": 0.25}, "epoch 1 of 2")


def test_records_are_read_by_category(tmp_path: Path) -> None:
    names = ("Wren", 'Rotkehlchen "ö"', "Wren 2")
    lines = [format_record(name, FIRST) for name in names] + [format_record("Wren", SECOND)]
    (tmp_path / HISTORY_FILE).write_text("".join(lines), encoding="utf-8")
    assert load_history(tmp_path, "Wren") == [FIRST, SECOND]
    for name in names[1:]:
        assert load_history(tmp_path, name) == [FIRST]
    assert load_history(tmp_path, "Robin") == []
    assert load_history(tmp_path / "nowhere", "Wren") == []


def test_damaged_and_incomplete_lines_are_skipped(tmp_path: Path) -> None:
    good = format_record("Wren", FIRST)
    bad = ["{", "[]", "null", '{"category": "Wren", }', '{"category": "Wren", "stage": "x"}']
    bad += [good.replace("0.5", '"x"').strip(), good.replace('"values": {', '"values": [').strip()]
    text = "\n".join(bad) + "\n" + good + format_record("Wren", SECOND)[:-9]
    (tmp_path / HISTORY_FILE).write_bytes(text.encode() + b"\xff")
    assert load_history(tmp_path, "Wren") == [FIRST]


def test_part_of_very_many_epochs_is_recorded() -> None:
    def list_recorded(total: int) -> list[int]:
        steps = (Progress("Training", done, total, {"total": 1.0}) for done in range(1, total + 1))
        return [step.done for step in steps if is_recorded(step)]

    assert list_recorded(90) == list(range(1, 91))
    kept = list_recorded(100_001)
    assert len(kept) == 2001
    assert kept[:2] == [50, 100]
    assert kept[-2:] == [100_000, 100_001]
    assert not is_recorded(Progress("Drawing heatmaps", 1, 1))


def test_columns_have_a_value_for_every_record() -> None:
    assert list_columns([FIRST, SECOND]) == {
        "epoch": [1, 2],
        "stage": ["Pretraining", "Training"],
        "reconstruction": [0.5, 0.25],
        "total": ["", 2.0],
    }


class Clock:
    def __init__(self) -> None:
        self.time = 100.0

    def __call__(self) -> float:
        return self.time


def test_time_left_of_a_single_category() -> None:
    clock = Clock()
    pace = Pace(1, clock)
    estimates = []
    for done in range(1, 7):
        estimates.append(pace.estimate("Wren", Progress("Training", done, 10)))
        clock.time += 2
    assert estimates[:3] == [None, None, None]  # too early to tell
    assert estimates[3:] == pytest.approx([12, 10, 8])


def test_a_new_stage_has_a_pace_of_its_own() -> None:
    clock = Clock()
    pace = Pace(1, clock)
    for done in range(1, 11):
        pace.estimate("Wren", Progress("Training", done, 10))
        clock.time += 1
    assert pace.estimate("Wren", Progress("Drawing heatmaps", 1, 21)) is None
    clock.time += 15
    assert pace.estimate("Wren", Progress("Drawing heatmaps", 4, 21)) == pytest.approx(17 * 5)


def test_further_categories_take_as_long_as_the_last() -> None:
    clock = Clock()
    pace = Pace(3, clock)
    for done in range(1, 6):
        first = pace.estimate("Wren", Progress("Training", done, 5))
        clock.time += 10
    assert first == pytest.approx(0 + 40 * 2)  # 40 s so far, and two more like it
    for done in range(1, 5):
        second = pace.estimate("Robin", Progress("Training", done, 5))
        clock.time += 5
    # The first took 50 s, this one 15 s so far.
    assert second == pytest.approx((50 - 15) + 50)
