import pytest

from explorer.cli import reporting
from explorer.cli.reporting import follow
from explorer.config import Progress, Steps


class Clock:
    """A clock that stands still except when a step takes its time."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(reporting.time, "monotonic", clock)
    return clock


def count(clock: Clock, stage: str, total: int, seconds: float) -> Steps[str]:
    for done in range(1, total + 1):
        clock.now += seconds
        yield Progress(stage, done, total, {"loss": 1 / done})
    return "result"


def test_lines_say_how_much_time_is_left(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    assert follow(count(clock, "Training", 10, 20.0)) == "result"
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Training: 1/10  loss 1"
    assert lines[1] == "Training: 2/10  loss 0.5  0:02:40 left"
    assert lines[5] == "Training: 6/10  loss 0.1667  0:01:20 left"
    assert lines[-1] == "Training: 10/10  loss 0.1"


def test_lines_come_at_intervals(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    follow(count(clock, "Training", 100, 1.0))
    shown = [line.split()[1] for line in capsys.readouterr().out.splitlines()]
    assert shown == ["1/100", "17/100", "33/100", "49/100", "65/100", "81/100", "97/100", "100/100"]


def test_each_stage_has_its_own_pace(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    def both() -> Steps[None]:
        yield from count(clock, "Slow", 3, 100.0)
        yield from count(clock, "Quick", 3, 20.0)

    follow(both())
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].endswith("0:01:40 left")
    assert lines[4].endswith("0:00:20 left")
