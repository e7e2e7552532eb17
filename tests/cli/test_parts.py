import re
import shutil
from pathlib import Path

import pytest
from commands import Call, make_call
from workspaces import make_tiny_workspace


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    return make_call(monkeypatch, capsys, "parts")


def test_a_part_finder_is_checked_without_training(own_workspace: Path, call: Call) -> None:
    status, _, err = call(own_workspace, "--check")
    assert status == 1
    assert "has no part finder" in " ".join(err.split())
    assert call(own_workspace, "--width", 8, "--epochs", 1, "--precision", "full")[0] == 0
    (file,) = own_workspace.glob("parts.safetensors")
    before = file.stat().st_mtime_ns
    status, out, _ = call(own_workspace, "--check")
    assert status == 0
    assert "held-out photos, at pool3: PCK@0.1" in " ".join(out.split())
    assert re.search(
        r"With found .* on \d+ photos: .* same names \d\.\d{3}\.", " ".join(out.split())
    )
    assert file.stat().st_mtime_ns == before
    assert call(own_workspace)[0] == 1, "a finder was replaced without --force"


def test_without_modules_there_is_only_the_accuracy(tmp_path: Path, call: Call) -> None:
    workspace = make_tiny_workspace(tmp_path / "tiny")
    shutil.rmtree(workspace / "modules")
    assert call(workspace, "--width", 8, "--epochs", 1, "--precision", "full")[0] == 0
    status, out, _ = call(workspace, "--check")
    assert status == 0
    assert "PCK@0.1" in out
    assert "With found" not in out
