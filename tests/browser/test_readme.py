"""The README's pictures; `make readme` copies the screenshots to ``assets/screenshots``."""

from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.browser

HEIGHTS = {"overview": 1100, "photo": 1640}


@pytest.mark.parametrize("name", HEIGHTS)
def test_picture(visit: Any, artefacts: Path, name: str) -> None:
    opened = visit("/" if name == "overview" else f"/{name}", width=1280)
    opened.page.set_viewport_size({"width": 1280, "height": HEIGHTS[name]})
    opened.wait_for_link()
    opened.page.mouse.move(0, 0)
    opened.page.screenshot(path=artefacts / f"readme-{name}.jpg", type="jpeg", quality=85)
    opened.check()
