"""Hostile names in a data set are nothing but text in a browser."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from workspaces import HOSTILE_RUN, make_hostile_workspace

pytestmark = pytest.mark.browser

PAGES = ("", "category", "x_feature", "photo", "compare", "results")


@pytest.fixture(scope="module")
def hostile_url(serve: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("hostile")
    with serve(folder / "log.txt", make_hostile_workspace(folder / "workspace")) as url:
        yield url


# Long names are worst on narrow screens.
@pytest.mark.parametrize("width", [pytest.param(1440, marks=pytest.mark.slow), 390])
def test_hostile_names_are_only_text(
    hostile_url: str, visit_address: Any, artefacts: Path, width: int
) -> None:
    opened = visit_address(f"{hostile_url}/about", width=width)
    page = opened.page
    dialogs: list[str] = []
    addresses: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda request: addresses.append(request.url))
    for name in PAGES:
        page.goto(f"{hostile_url}/{name}")
        opened.wait_for_link()
        opened.save_screenshot(artefacts / f"hostile-{name or 'overview'}-{width}.png")
        for figure in page.locator(".js-plotly-plot .nsewdrag").all()[:2]:
            figure.hover()
        made = page.evaluate(
            "[...document.querySelectorAll('img[onerror], img[src=x], a[href^=javascript]'), "
            "...[...document.links].filter(a => a.host.includes('a.org'))].map(e => e.outerHTML)"
        )
        assert made == [], name
        words = page.evaluate("document.body.innerText")
        assert "<b>Bold" in words or "<img src=x" in words, name
        assert name != "category" or HOSTILE_RUN in page.evaluate("document.body.textContent")
        opened.check()
    assert dialogs == []
    places = {urlsplit(address).netloc for address in addresses if address.startswith("http")}
    assert places == {urlsplit(hostile_url).netloc}
