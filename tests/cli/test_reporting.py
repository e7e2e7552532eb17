import json
import shutil
from pathlib import Path

import pytest
from rich.console import Console

from explorer.analysis.estimates import compute_estimate
from explorer.cli import reporting
from explorer.cli.reporting import follow
from explorer.config import DEMO_WORKSPACE, Progress, Steps
from explorer.data.cub import format_category
from explorer.measuring.records import load_module_measures
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace

# The longest name in CUB-200-2011, and a run whose settings differ in three ways.
LONGEST, RUN = "189.American_Three_toed_Woodpecker", "srae-k5-s0-pull_away1.0-epochs4"


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


def test_lines_say_where_in_a_stage_the_work_is(capsys: pytest.CaptureFixture[str]) -> None:
    def train() -> Steps[None]:
        yield Progress("Training", 41, 90, {"loss": 0.5}, "epoch 11 of 60")

    follow(train())
    assert capsys.readouterr().out == "Training: 41/90  epoch 11 of 60  loss 0.5\n"


def test_the_table_of_modules_breaks_no_name_on_a_terminal_of_80_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace = Workspace(DEMO_WORKSPACE)
    entry = workspace.list_modules()[0]
    measures = load_module_measures(workspace, entry)
    named = ModuleEntry(LONGEST, RUN, entry.path)
    monkeypatch.setattr(workspace, "list_modules", lambda: [named])
    monkeypatch.setattr(reporting, "load_module_measures", lambda *_: measures)
    monkeypatch.setattr(reporting, "console", Console(width=80))
    reporting.print_modules(workspace)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    named_in = [line for line in lines if format_category(LONGEST) in line]
    assert f"{measures.test.faithfulness.f_reg:.4f}" in named_in[0]
    assert f"{sum(measures.live)} of 5" in named_in[0]
    assert [RUN in line for line in lines].count(True) == len(named_in)


def test_a_summary_over_modules_stands_below_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "demo"
    shutil.copytree(DEMO_WORKSPACE, folder, ignore=shutil.ignore_patterns("images", "features"))
    workspace = Workspace(folder)
    file = workspace.list_modules()[3].metrics_path  # as if it had one active x-feature
    metrics = json.loads(file.read_text())
    metrics["concepts"]["overlap"] = None
    file.write_text(json.dumps(metrics))
    monkeypatch.setattr(reporting, "console", Console(width=80))
    reporting.print_modules(workspace)
    lines = capsys.readouterr().out.splitlines()
    scores, concepts = (n for n, line in enumerate(lines) if "mean of 16 modules" in line)
    found = [load_module_measures(workspace, entry) for entry in workspace.list_modules()]
    measures = [one for one in found if one is not None]
    f_regs = [one.test.faithfulness.f_reg for one in measures]
    overlaps = [one.concepts.overlap for one in measures if one.concepts is not None]
    known = [one for one in overlaps if one is not None]
    assert 0 < len(known) < len(overlaps), "one module has no pair of active x-features"
    for first, values, form in ((scores, f_regs, ".4f"), (concepts, known, ".3f")):
        expected = compute_estimate(values)
        assert expected is not None
        numbers = (expected.mean, expected.low, expected.high, min(values), max(values))
        for line, number in zip(lines[first:], numbers, strict=False):
            assert f" {number:{form}} " in f"{line} "
    assert max(map(len, lines)) <= 80
