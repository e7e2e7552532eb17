import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from app_client import Page
from load import MemoryMonitor, OwnPhoto, check_own_photo

from explorer.config import REPOSITORY_ROOT

OWN = OwnPhoto("visitor-3-0.png", b"", "224 × 240 pixels", np.array([1.5, -2.0, 7.25], np.float32))


def make_page(*texts: str, scores: tuple[float, ...] = (7.25, 1.5)) -> Page:
    bars = {"type": "bar", "orientation": "h", "x": list(scores)}
    return Page(texts=list(texts), figures=[{"data": [bars]}])


def test_a_visitor_with_their_own_photo_has_no_faults() -> None:
    assert check_own_photo(make_page("visitor-3-0.png, 224 × 240 pixels"), OWN) == []


@pytest.mark.parametrize(
    ("page", "fault"),
    [
        (make_page("visitor-4-0.png, 224 × 240 pixels"), "sees ['visitor-4-0.png,']"),
        (make_page("visitor-3-0.png, 9 × 9 pixels"), "does not see its size"),
        (
            make_page("visitor-3-0.png, 224 × 240 pixels", scores=(7.0, 1.5)),
            "does not see its scores",
        ),
        (
            make_page("visitor-3-0.png, 224 × 240 pixels", scores=(1.5, -2.0)),
            "does not see its scores",
        ),
        (make_page("visitor-3-0.png, 224 × 240 pixels", "visitor-5-1.png, 1 × 1"), "sees"),
        (make_page("nothing"), "sees []"),
    ],
)
def test_content_of_another_visitor_is_a_fault(page: Page, fault: str) -> None:
    assert any(fault in found for found in check_own_photo(page, OWN))


def test_growth_is_measured_after_the_warm_up() -> None:
    monitor = MemoryMonitor(0, 1)
    monitor.used = [(10.0 * n, 100.0 + 50 * min(n, 45)) for n in range(100)]
    assert monitor.fit_growth() == pytest.approx(0, abs=1e-6)
    monitor.used = [(10.0 * n, 100.0 + n / 3) for n in range(100)]
    assert monitor.fit_growth() == pytest.approx(2)


def test_growth_is_unknown_after_a_short_run() -> None:
    monitor = MemoryMonitor(0, 1)
    monitor.used = [(10.0 * n, 100.0 * n) for n in range(48)]
    assert monitor.fit_growth() is None


@pytest.mark.slow
def test_five_visitors_for_a_minute(tmp_path: Path) -> None:
    command = [sys.executable, str(REPOSITORY_ROOT / "tools" / "load.py")]
    command += ["--sessions", "5", "--minutes", "1", "--trainers", "1"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 failures" in done.stdout
