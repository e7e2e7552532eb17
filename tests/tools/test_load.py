import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from app_client import Page
from load import OwnPhoto, Watch, check_own

from explorer.config import REPOSITORY_ROOT

OWN = OwnPhoto("visitor-3-0.png", b"", "224 × 240 pixels", np.array([1.5, -2.0, 7.25], np.float32))


def make_page(*texts: str, scores: tuple[float, ...] = (7.25, 1.5)) -> Page:
    bars = {"type": "bar", "orientation": "h", "x": list(scores)}
    return Page(texts=list(texts), figures=[{"data": [bars]}])


def test_a_visitor_who_sees_their_own_photo_is_content() -> None:
    assert check_own(make_page("visitor-3-0.png, 224 × 240 pixels"), OWN) == []


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
def test_anything_of_another_is_a_fault(page: Page, fault: str) -> None:
    assert any(fault in found for found in check_own(page, OWN))


def test_growth_is_that_after_the_warm_up() -> None:
    watch = Watch(0, 1)
    watch.used = [(10.0 * n, 100.0 + 50 * min(n, 45)) for n in range(100)]
    assert watch.fit_growth() == pytest.approx(0, abs=1e-6)
    watch.used = [(10.0 * n, 100.0 + n / 3) for n in range(100)]
    assert watch.fit_growth() == pytest.approx(2)


def test_a_short_run_cannot_tell_of_growth() -> None:
    watch = Watch(0, 1)
    watch.used = [(10.0 * n, 100.0 * n) for n in range(48)]
    assert watch.fit_growth() is None


@pytest.mark.slow
def test_five_visitors_for_a_minute(tmp_path: Path) -> None:
    command = [sys.executable, str(REPOSITORY_ROOT / "tools" / "load.py")]
    command += ["--sessions", "5", "--minutes", "1", "--trainers", "1"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 failures" in done.stdout
