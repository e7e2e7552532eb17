"""The README's pictures; `make readme` copies the screenshots to ``assets/screenshots``."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from explorer.config import BIRDS_WORKSPACE, CUB_ROOT_VARIABLE

pytestmark = pytest.mark.browser


def take_picture(opened: Any, file: Path, height: int) -> None:
    opened.page.set_viewport_size({"width": 1280, "height": height})
    opened.wait_for_link()
    opened.page.mouse.move(0, 0)
    opened.page.screenshot(path=file, type="jpeg", quality=85)
    opened.check()


def test_a_painted_bird_explained(visit: Any, artefacts: Path) -> None:
    take_picture(visit("/photo", width=1280), artefacts / "readme-photo.jpg", 1640)


@pytest.fixture
def birds_url(serve: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Serve the real birds without photos, which must not get into the picture."""
    if not BIRDS_WORKSPACE.is_dir():
        pytest.skip("the workspace of real birds is not in this clone")
    monkeypatch.delenv(CUB_ROOT_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with serve(tmp_path / "log.txt", BIRDS_WORKSPACE) as url:
        yield url


def test_the_real_birds(visit_address: Any, birds_url: str, artefacts: Path) -> None:
    opened = visit_address(birds_url, width=1280)
    take_picture(opened, artefacts / "readme-overview.jpg", 1180)
    assert opened.page.get_by_text("The photos are not on this computer").is_visible()
