import csv
import json
from dataclasses import asdict
from pathlib import Path

import pytest
from commands import Call, make_call

from explorer.cli import names as command
from explorer.evaluation.naming import Causing, Telling
from explorer.measuring.name_records import FeatureName

RED = FeatureName(
    "attribute",
    "red breast",
    parts=("breast", "belly"),
    heat=0.3,
    correlation=0.87,
    low=0.6,
    high=0.95,
    elsewhere=0.7,
    also_on=("003.Moonbar_Warbler",),
)


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    call_plainly = make_call(monkeypatch, capsys, "names")

    def run(*arguments: object) -> tuple[int, str, str]:
        status, out, err = call_plainly(*arguments)
        return status, " ".join(out.split()), " ".join(err.split())

    return run


def write_names(workspace: Path, *names: FeatureName) -> None:
    (file,) = workspace.glob("modules/*/*/metrics.json")
    metrics = json.loads(file.read_text())
    file.write_text(json.dumps(metrics | {"names": [asdict(name) for name in names]}))


def test_names_are_listed_and_written(own_workspace: Path, call: Call) -> None:
    write_names(own_workspace, RED, *[FeatureName("unclear", "unclear")] * 4)
    status, out, _ = call(own_workspace)
    assert status == 0
    assert "unclear" in out
    with (own_workspace / "results" / "names.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 5
    assert rows[0]["name"] == "red breast"
    assert rows[0]["parts"] == "breast;belly"
    assert rows[0]["also_on"] == "003.Moonbar_Warbler"
    assert float(rows[0]["elsewhere"]) == 0.7
    assert (rows[1]["kind"], rows[1]["heat"]) == ("unclear", "")


def test_a_workspace_without_names_is_told_how_to_get_them(own_workspace: Path, call: Call) -> None:
    write_names(own_workspace)
    status, _, err = call(own_workspace)
    assert status == 1
    assert "No x-feature has a name yet" in err
    assert "explorer evaluate" in err


def test_names_are_found_again_from_stored_heat(own_workspace: Path, call: Call) -> None:
    (file,) = own_workspace.glob("modules/*/*/metrics.json")
    before = json.loads(file.read_text())
    write_names(own_workspace, *[RED] * 5)
    status, out, _ = call(own_workspace, "--again")
    assert status == 0
    assert "The x-features of 1 module were named again." in out
    assert json.loads(file.read_text()) == before
    file.write_text(json.dumps(before | {"heats": []}))
    _, out, _ = call(own_workspace, "--again")
    assert "0 modules were named again. 1 module must first be measured" in out


def test_checks_are_said_in_shares(
    own_workspace: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(_: object) -> object:
        yield from ()
        return Telling(50, 40, 30, 4, 10, 12), Causing(10, 6, 0.7, 8, 2.5)

    monkeypatch.setattr(command, "check_names", check)
    write_names(own_workspace, *[RED] * 5)
    _, out, _ = call(own_workspace, "--check")
    assert "On 40 of 50 test photos" in out
    assert "75% of them; one drawn from all attributes on 10%" in out
    assert "the species' own on 25%" in out
    assert "ExcitationBP on 30%" in out
    assert "Of 10 x-features of painted birds, 6 are named by" in out
