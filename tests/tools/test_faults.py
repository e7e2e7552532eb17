import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / "tools" / "faults.py"


def run_tool(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, str(TOOL), *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def can_mount(folder: Path) -> bool:
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    try:
        if subprocess.run(command, capture_output=True, check=False).returncode:
            return False
    except OSError:
        return False
    subprocess.run(["umount", str(folder)], check=True)
    return True


def read_counts(line: str) -> tuple[int, int]:
    faults, failures = (int(word) for word in line.split() if word.isdigit())
    return faults, failures


def test_a_workspace_survives_kills_during_creation() -> None:
    last = run_tool("kill", "--commands", "new", "--cases", "4").splitlines()[-1]
    faults, failures = read_counts(last)
    assert faults >= 6  # at least one before each change
    assert failures == 0


@pytest.mark.slow
def test_every_command_survives_random_kills() -> None:
    last = run_tool("kill", "--cases", "3", "--only-random", "--seed", "5").splitlines()[-1]
    faults, failures = read_counts(last)
    assert faults >= 10
    assert failures == 0


@pytest.mark.slow
def test_every_command_reports_a_full_or_read_only_disk(tmp_path: Path) -> None:
    if not can_mount(tmp_path):
        pytest.skip("needs permission to mount a small file system")
    said = run_tool("disk", "--steps", "2")
    assert read_counts(said.splitlines()[-1]) == (15, 0)
    assert "No space left on device" in said
    assert "Read-only file system" in said
