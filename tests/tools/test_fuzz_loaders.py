import random
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from explorer.config import REPOSITORY_ROOT

TOOL = REPOSITORY_ROOT / "tools" / "fuzz_loaders.py"


def fuzz(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(TOOL), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=560, check=False)


def test_a_few_damaged_files_end_with_messages() -> None:
    done = fuzz("--cases", 60, "--seed", 7)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "60 cases of seed 7" in done.stdout
    assert "0 failed." in done.stdout


@pytest.mark.slow
def test_thousands_of_damaged_files_end_with_messages() -> None:
    done = fuzz("--cases", 2500, "--seed", 8)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def mutations(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(TOOL.parent))
    import file_mutations as mutations  # noqa: PLC0415

    return mutations


def test_the_same_seed_makes_the_same_damage(tmp_path: Path, mutations: ModuleType) -> None:
    for mutation in {*mutations.RANDOM}:
        results = set()
        for turn in range(2):
            file = tmp_path / f"{turn}.bin"
            file.write_bytes(bytes(range(256)) * 4)
            mutation(random.Random(3), file)
            results.add(file.read_bytes())
        assert len(results) == 1
        assert results != {bytes(range(256)) * 4}


@pytest.mark.slow
def test_failures_of_loaders_are_detected(tmp_path: Path) -> None:
    """An exception, a crash, a hang and a lack of memory are reported as such."""
    script = tmp_path / "faulty.py"
    script.write_text(
        f"""
import ctypes, sys, time
sys.path.insert(0, {str(TOOL.parent)!r})
import fuzz_loaders
from pathlib import Path
from types import ModuleType

def fail(folder, file): raise KeyError("no words for the user")
def crash(folder, file): ctypes.string_at(0)
def wait(folder, file): time.sleep(60)
def eat(folder, file): bytearray(8 * 2**30)
def build(folder):
    for name in ("fail", "crash", "wait", "eat"):
        (folder / name).write_text("whole")
    return folder
fuzz_loaders.build_workspace = build
fuzz_loaders.TARGETS = tuple(
    fuzz_loaders.Target(f.__name__, f.__name__, f) for f in (fail, crash, wait, eat)
)
if __name__ == "__main__":
    total = 0
    for only in ("fail", "crash", "wait", "eat"):
        total += fuzz_loaders.main(["--cases", "1", "--only", only, "--patience", "2"])
    sys.exit(total)
"""
    )
    command = [sys.executable, str(script)]
    environment_root = str(REPOSITORY_ROOT)
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=300, check=False, cwd=environment_root
    )
    assert done.returncode == 4, done.stdout + done.stderr
    for words in ("KeyError", "the process ended with -11", "no answer within", "MemoryError"):
        assert words in done.stdout, done.stdout
