import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from explorer.config import REPOSITORY_ROOT

pytestmark = pytest.mark.browser

TIMEOUT = 45_000
WIDTHS = (1440, 390)


class Visit:
    """A page in a browser of its own, with everything it complains of."""

    def __init__(self, browser: Any, url: str, width: int = 1440, scheme: str = "light") -> None:
        self.context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, accept_downloads=True
        )
        self.complaints: list[str] = []
        self.page = self.context.new_page()
        self.page.set_default_timeout(TIMEOUT)
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(url)

    def _note(self, message: Any) -> None:
        # On a page other than the first, Streamlit looks for its server below that page's address
        # before it finds it at the root; the browser notes each miss.
        is_search = re.search(r"/\w+/_stcore/", message.location["url"])
        if message.type == "error" and not is_search:
            self.complaints.append(message.text)

    def wait_until_done(self) -> None:
        """Wait for the last thing on the page, then for the script and the pictures."""
        self.page.get_by_role("button", name="Raw maps and numbers").wait_for()
        self.wait_until_idle()

    def wait_until_idle(self) -> None:
        self.page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
        self.page.wait_for_function(
            "[...document.images].every(image => image.complete && image.naturalWidth > 0)"
        )

    def get_link(self) -> str:
        text: str = self.page.get_by_test_id("stCode").last.inner_text()
        return text.replace("\n", "").strip()

    def save_screenshot(self, path: Path) -> None:
        """Take the whole page, not only what is above the fold."""
        height = self.page.evaluate(
            "Math.max(...[...document.querySelectorAll('[data-testid=stMain], "
            "[data-testid=stSidebarContent]')].map(e => e.scrollHeight))"
        )
        size = self.page.viewport_size
        self.page.set_viewport_size({"width": size["width"], "height": min(int(height), 8000)})
        self.page.wait_for_timeout(600)
        self.page.screenshot(path=path)
        self.page.set_viewport_size(size)

    def check(self) -> None:
        """No complaint, no error on the page, and nothing to scroll to at the right."""
        assert self.complaints == []
        assert self.page.get_by_text("Traceback").count() == 0
        assert self.page.get_by_test_id("stException").count() == 0
        overflow = self.page.evaluate(
            "[document.scrollingElement, document.querySelector('[data-testid=stMain]')]"
            ".map(e => e.scrollWidth - e.clientWidth)"
        )
        assert max(overflow) <= 0


@pytest.fixture
def visit(browser: Any, app_url: str) -> Iterator[Any]:
    visits: list[Visit] = []

    def open_page(path: str = "/photo", **options: Any) -> Visit:
        url = path if path.startswith("http") else app_url + path
        visits.append(Visit(browser, url, **options))
        return visits[-1]

    yield open_page
    for opened in visits:
        opened.context.close()


def read_theme(scheme: str) -> dict[str, Any]:
    theme: dict[str, Any] = tomllib.loads((REPOSITORY_ROOT / "streamlit_config.toml").read_text())[
        "theme"
    ][scheme]
    return theme


def to_css(colour: str) -> str:
    return "rgb({}, {}, {})".format(*(int(colour[start : start + 2], 16) for start in (1, 3, 5)))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_photo_page(visit: Any, artefacts: Path, width: int, scheme: str) -> None:
    opened = visit(width=width, scheme=scheme)
    opened.wait_until_done()
    opened.save_screenshot(artefacts / f"photo-{width}-{scheme}.png")
    opened.check()
    page = opened.page
    assert page.get_by_test_id("stMain").get_by_text("painted bird", exact=False).count() >= 1
    colours = page.evaluate(
        "(e => [getComputedStyle(e).backgroundColor, getComputedStyle(e).color])"
        "(document.querySelector('[data-testid=stApp]'))"
    )
    theme = read_theme(scheme)
    assert colours == [to_css(theme["backgroundColor"]), to_css(theme["textColor"])]
    # Every picture but the small decorative ones says in words what it shows.
    silent = page.evaluate(
        "[...document.querySelectorAll('[data-testid=stImage] img')].filter(i => !i.alt).length"
    )
    assert silent == 0
    # Words in figures follow the theme as well.
    fills = page.evaluate(
        "[...document.querySelectorAll('.js-plotly-plot .annotation-text')]"
        ".map(e => getComputedStyle(e).fill)"
    )
    assert to_css({"light": "#3c424b", "dark": "#d5d2ca"}[scheme]) in fills


@pytest.mark.parametrize("width", WIDTHS)
def test_about_page(visit: Any, artefacts: Path, width: int) -> None:
    opened = visit("/about", width=width, scheme="dark" if width == 390 else "light")
    opened.page.get_by_role("heading", name="Versions").wait_for()
    opened.wait_until_idle()
    opened.save_screenshot(artefacts / f"about-{width}.png")
    opened.check()


@pytest.mark.parametrize("width", WIDTHS)
def test_gallery(visit: Any, artefacts: Path, width: int) -> None:
    opened = visit(width=width)
    opened.wait_until_done()
    opened.page.get_by_role("button", name="All photos").click()
    dialog = opened.page.get_by_role("dialog")
    buttons = dialog.get_by_role("button").filter(has_text="0")
    buttons.first.wait_for()
    opened.wait_until_idle()
    opened.page.screenshot(path=artefacts / f"gallery-{width}.png")
    chosen = buttons.nth(3).inner_text()
    buttons.nth(3).click()
    dialog.wait_for(state="detached")
    opened.page.get_by_text(f"Painted bird {chosen}:").wait_for()
    opened.wait_until_done()
    opened.check()


def test_link_opens_the_same_view_elsewhere(visit: Any, artefacts: Path) -> None:
    first = visit()
    first.wait_until_done()
    page = first.page
    page.get_by_role("button", name="Next").click()
    page.wait_for_url("**photo=**")
    page.get_by_test_id("stButtonGroup").get_by_text("x-feature 4", exact=True).click()
    page.get_by_role("heading", name="x-feature 4 up close").wait_for()
    page.get_by_text("one for all", exact=True).click()
    page.get_by_text("one scale for all maps").wait_for()
    page.get_by_role("slider").press("Home")
    page.wait_for_url("**opacity=0**")
    first.wait_until_done()
    link = first.get_link()
    assert "opacity=0" in link

    for address in (link, page.evaluate("location.href")):
        second = visit(address)
        second.wait_until_done()
        assert second.page.get_by_role("heading", name="x-feature 4 up close").is_visible()
        assert second.page.get_by_text("one scale for all maps").is_visible()
        assert second.page.get_by_role("slider").input_value() == "0"
        assert second.get_link() == link
        second.check()
    first.check()


def test_numbers_can_be_taken_along(visit: Any, tmp_path: Path) -> None:
    opened = visit()
    opened.wait_until_done()
    with opened.page.expect_download() as download:
        opened.page.get_by_role("button", name="Raw maps and numbers").click()
    file = tmp_path / "numbers.npz"
    download.value.save_as(file)
    assert download.value.suggested_filename.endswith("_relu1_raw.npz")
    with np.load(file, allow_pickle=False) as arrays:
        assert arrays["raw_maps"].shape == (5, 128, 128)
        assert (arrays["raw_maps"] >= 0).all()
        assert arrays["contributions"].sum() == pytest.approx(float(arrays["y_bar"]), abs=1e-3)
        shown = f"ȳ = {float(arrays['y_bar']):.2f}"
    assert opened.page.get_by_text(shown).count() == 1

    with opened.page.expect_download() as download:
        opened.page.get_by_role("button", name="(PNG)").click()
    file = tmp_path / "overlay.png"
    download.value.save_as(file)
    assert file.read_bytes().startswith(b"\x89PNG")


def test_raw_grid_and_deep_layer_look_right(visit: Any, artefacts: Path) -> None:
    opened = visit("/photo?drawing=raw+grid&layer=pool4&colours=viridis&scale=one+for+all")
    opened.wait_until_done()
    assert opened.page.get_by_text("a grid of 8 × 8").is_visible()
    opened.save_screenshot(artefacts / "raw-grid-pool4.png")
    opened.check()


def test_vain_link_is_told_on_a_phone_too(visit: Any, artefacts: Path) -> None:
    opened = visit("/photo?category=Dodo&layer=pool9", width=390)
    opened.wait_until_done()
    assert opened.page.get_by_text("The link asks for the category “Dodo”").is_visible()
    opened.page.screenshot(path=artefacts / "vain-link-390.png")
    opened.check()
