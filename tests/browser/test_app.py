import re
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from explorer.config import REPOSITORY_ROOT

pytestmark = pytest.mark.browser

WIDTHS = (1440, 390)


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
    opened = visit("/photo", width=width, scheme=scheme)
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
    # Every picture except small decorative ones has an alternative text.
    silent = page.evaluate(
        "[...document.querySelectorAll('[data-testid=stImage] img')].filter(i => !i.alt).length"
    )
    assert silent == 0
    # Text in figures follows the theme, too.
    fills = page.evaluate(
        "[...document.querySelectorAll('.js-plotly-plot .annotation-text')]"
        ".map(e => getComputedStyle(e).fill)"
    )
    assert to_css(theme["textColor"]) in fills


@pytest.mark.parametrize("width", WIDTHS)
def test_about_page(visit: Any, artefacts: Path, width: int) -> None:
    opened = visit("/about", width=width, scheme="dark" if width == 390 else "light")
    opened.page.get_by_role("heading", name="Versions").wait_for()
    opened.wait_until_idle()
    opened.save_screenshot(artefacts / f"about-{width}.png")
    opened.check()


@pytest.mark.parametrize("width", WIDTHS)
def test_gallery(visit: Any, artefacts: Path, width: int) -> None:
    opened = visit("/photo", width=width)
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
    first = visit("/photo")
    first.wait_until_done()
    page = first.page
    page.get_by_role("button", name="Next").click()
    page.wait_for_url("**photo=**")
    page.locator(".st-key-show-x-feature-4 button").click()
    page.get_by_role("heading", name=re.compile(r"x-feature 4\b.*, part by part")).wait_for()
    page.get_by_role("button", name="Display").click()
    page.get_by_role("radio", name="one for all").click()
    page.get_by_text("one scale for all maps").wait_for()
    page.get_by_role("slider").press("Home")
    page.wait_for_url("**opacity=0**")
    page.keyboard.press("Escape")
    page.locator(".st-key-count-x-feature-2 label").click()
    page.get_by_text("Without x-feature 2, the module's score").wait_for()
    page.get_by_role("radio", name="pixel by pixel").click()
    page.wait_for_url("**look=pixel**")
    first.wait_until_done()
    link = first.get_link()
    assert "opacity=0" in link

    for address in (link, page.evaluate("location.href")):
        second = visit(address)
        second.wait_until_done()
        title = re.compile(r"x-feature 4\b.*, part by part")
        assert second.page.get_by_role("heading", name=title).is_visible()
        assert second.page.get_by_text("one scale for all maps").is_visible()
        assert second.page.get_by_text("Without x-feature 2, the module's score").is_visible()
        second.page.get_by_role("button", name="Display").click()
        assert second.page.get_by_role("slider").input_value() == "0"
        assert second.get_link() == link
        second.check()
    first.check()


def test_numbers_can_be_downloaded(visit: Any, tmp_path: Path) -> None:
    opened = visit("/photo")
    opened.wait_until_done()
    with opened.page.expect_download() as download:
        opened.page.get_by_role("button", name="Raw maps and numbers").click()
    file = tmp_path / "numbers.npz"
    download.value.save_as(file)
    assert download.value.suggested_filename.endswith("_relu1_raw.npz")
    with np.load(file, allow_pickle=False) as arrays:
        assert arrays["raw_maps"].shape == (5, 128, 128)
        assert (arrays["raw_maps"] >= 0).all()
        total = float(arrays["base"] + arrays["contributions"].sum())
        assert total == pytest.approx(float(arrays["y_bar"]), abs=1e-3)
        shown = f"module's {float(arrays['y_bar']):.2f}"
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


def test_unknown_values_in_a_link_are_reported_on_a_phone(visit: Any, artefacts: Path) -> None:
    opened = visit("/photo?category=Dodo&layer=pool9", width=390)
    opened.wait_until_done()
    assert opened.page.get_by_text("The link asks for the category “Dodo”").is_visible()
    opened.page.screenshot(path=artefacts / "vain-link-390.png")
    opened.check()


def test_numbers_of_a_pixel_are_shown_on_hover(visit: Any) -> None:
    opened = visit("/photo?look=pixel+by+pixel")
    opened.wait_until_done()
    figure = opened.page.locator(".st-key-figure-pixels .js-plotly-plot")
    figure.scroll_into_view_if_needed()
    box = figure.bounding_box()
    opened.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    told = opened.page.locator(".st-key-figure-pixels .hovertext")
    told.wait_for()
    for words in ("P(pixel | n) =", "c-MWP =", "x "):
        assert words in told.text_content()
    opened.check()


def test_the_same_photo_explained_as_another_bird(visit: Any) -> None:
    opened = visit("/photo")
    opened.wait_until_done()
    picture = opened.page.get_by_text("Painted bird", exact=False).first.inner_text()
    link = opened.page.get_by_role("link", name="Explained as").first
    other = link.inner_text().removeprefix("Explained as ")
    link.click()
    opened.page.get_by_role("heading", name=f"Why “{other}”?").wait_for()
    opened.wait_until_done()
    assert opened.page.get_by_text("Painted bird", exact=False).first.inner_text() == picture
    opened.check()


@pytest.mark.parametrize("width", WIDTHS)
def test_a_tile_is_chosen_and_switched_off_by_the_keyboard_and_as_a_whole(
    visit: Any, width: int
) -> None:
    opened = visit("/photo", width=width)
    opened.wait_until_done()
    page = opened.page
    page.locator(".st-key-show-x-feature-1 button").focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name=re.compile(r"x-feature 1\b.*, part by part")).wait_for()
    opened.wait_until_done()
    # The focus stays where it was, so that the next key reaches the switch of the same tile.
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.get_by_text("Without x-feature 1, the module's score").wait_for()
    opened.wait_until_done()
    switch = page.get_by_role("switch", name="Count x-feature 1 in the sum")
    assert not switch.is_checked()
    assert switch.evaluate("e => e === document.activeElement")
    # A click on the picture is a click on the tile.
    page.locator(".st-key-tile-2 img").click(position={"x": 20, "y": 60}, force=True)
    page.get_by_role("heading", name=re.compile(r"x-feature 3\b.*, part by part")).wait_for()
    opened.wait_until_done()
    opened.check()


def test_the_answer_is_above_the_fold(visit: Any) -> None:
    opened = visit("/photo")
    opened.wait_until_done()
    for tile in (
        ".st-key-answer",
        ".st-key-large-map img",
        *(f".st-key-tile-{n}" for n in range(5)),
    ):
        box = opened.page.locator(tile).first.bounding_box()
        assert box["y"] + box["height"] <= 900, tile
    opened.check()


def test_tool_bars_of_figures_stay_away_on_a_phone(visit: Any) -> None:
    opened = visit("/photo", width=390)
    opened.wait_until_done()
    figure = opened.page.locator(".st-key-figure-contributions .js-plotly-plot")
    figure.scroll_into_view_if_needed()
    figure.hover()
    assert not opened.page.locator(".modebar-container").first.is_visible()
    opened.check()
