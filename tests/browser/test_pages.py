"""Every page as a visitor sees it, and the links between pages."""

import csv
import io
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

pytestmark = pytest.mark.browser

# The last element of each page that has no link to its view.
LAST = {"quiz": "Start"}


def wait_for_page(opened: Any, name: str) -> None:
    if name in LAST:
        opened.page.get_by_role("button", name=LAST[name]).wait_for()
        opened.wait_until_idle()
    else:
        opened.wait_for_link()


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize(
    "name", ["", "category", "x_feature", "atlas", "photo_map", "compare", "results", "quiz"]
)
def test_page_in_light_and_dark(visit: Any, artefacts: Path, name: str, width: int) -> None:
    opened = visit(f"/{name}", width=width, scheme="light")
    for scheme in ("light", "dark"):
        opened.switch_to(scheme)
        wait_for_page(opened, name)
        opened.save_screenshot(artefacts / f"{name or 'overview'}-{width}-{scheme}.png")
        opened.check()
    silent = opened.page.evaluate(
        "[...document.querySelectorAll('[data-testid=stImage] img')].filter(i => !i.alt).length"
    )
    assert silent == 0


def test_from_the_overview_to_an_x_feature_and_to_a_friend(visit: Any, artefacts: Path) -> None:
    first = visit()
    first.wait_for_link()
    page = first.page
    page.get_by_placeholder("a part of its name").fill("tanager")
    page.get_by_placeholder("a part of its name").press("Enter")
    page.get_by_text("4 found").wait_for()
    first.wait_for_link()  # a click on a tile that is being replaced is lost
    page.get_by_role("link", name="Damson Moonbar Tanager").click()
    page.get_by_role("heading", name="Damson Moonbar Tanager").wait_for()
    first.wait_for_link()
    photo = page.locator(".st-key-gallery-category a").nth(2)
    name = photo.inner_text()
    photo.click()
    page.get_by_role("heading", name="Why “Damson Moonbar Tanager”?").wait_for()
    page.get_by_text(f"{name}: Damson Moonbar Tanager").wait_for()
    first.wait_until_done()
    page.locator(".st-key-show-x-feature-4 button").click()
    page.get_by_role("heading", name=re.compile(r"x-feature 4\b.*, part by part")).wait_for()
    first.wait_until_idle()
    # The x-feature stays chosen on its own page.
    page.get_by_role("link", name="X-feature", exact=True).click()
    page.get_by_role("heading", name=re.compile("^x-feature 4"), level=1).wait_for()
    first.wait_for_link()
    page.get_by_role("radio", name="lowest activation").click()
    page.get_by_text("lowest activation first").wait_for()
    first.wait_for_link()
    link = first.get_link()
    first.check()

    friend = visit(link, scheme="dark")
    friend.wait_for_link()
    assert friend.page.get_by_role("heading", name=re.compile("^x-feature 4"), level=1).is_visible()
    assert friend.page.get_by_role("radio", name="lowest activation").is_checked()
    assert friend.get_link() == link
    pictures = [
        opened.page.locator(".st-key-gallery-x-feature a").all_inner_texts()
        for opened in (first, friend)
    ]
    assert pictures[0] == pictures[1] != []
    friend.save_screenshot(artefacts / "link-at-a-friends.png")
    friend.check()


def test_a_point_of_the_scatter_opens_its_photo(visit: Any) -> None:
    opened = visit("/category")
    opened.wait_for_link()
    figure = opened.page.locator(".st-key-figure-scatter")
    figure.scroll_into_view_if_needed()
    # The category's own test photos are drawn last, so nothing covers them.
    points = figure.locator(".scatterlayer .trace").last.locator("path.point")
    box = points.nth(3).bounding_box()
    opened.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    told = figure.locator(".hovertext")
    told.wait_for()
    name = told.text_content().split(", ")[1].split("network")[0].strip()
    opened.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    opened.page.get_by_role("heading", name="Why “Citrine Moonbar Tanager”?").wait_for()
    opened.page.get_by_text(f"{name.capitalize()}:").wait_for()
    opened.wait_until_done()
    opened.page.go_back()
    opened.page.get_by_role("heading", name="How well the module copies the score").wait_for()
    opened.wait_for_link()
    opened.check()


def test_choices_are_kept_on_other_pages(visit: Any) -> None:
    opened = visit("/category")
    opened.wait_for_link()
    page = opened.page
    page.get_by_role("radio", name="x-feature 4").click()
    page.get_by_text("All about x-feature 4").wait_for()
    page.get_by_role("button", name="Display").click()
    page.get_by_role("slider").press("Home")
    # The link is the last element of the page, so the run with the new choice has finished.
    page.get_by_test_id("stCode").filter(has_text="opacity=0").wait_for()
    opened.wait_for_link()
    page.keyboard.press("Escape")
    for name, heading in (("X-feature", "^x-feature 4"), ("Photo", "x-feature 4.*, part by part")):
        page.get_by_role("link", name=name, exact=True).click()
        page.get_by_role("heading", name=re.compile(heading)).first.wait_for()
        opened.wait_for_link()
        page.get_by_role("button", name="Display").click()
        assert page.get_by_role("slider").input_value() == "0"
        page.keyboard.press("Escape")
    # The address of every page holds the choice, for whoever reloads it.
    page.get_by_role("link", name="About", exact=True).click()
    page.get_by_role("heading", name="Versions").wait_for()
    opened.wait_until_idle()
    assert parse_qs(urlsplit(page.url).query)["opacity"] == ["0"]
    opened.check()


def test_each_page_adds_one_entry_to_the_history(visit: Any) -> None:
    opened = visit("/photo")
    opened.wait_for_link()
    page = opened.page
    entries = page.evaluate("history.length")
    page.locator(".st-key-show-x-feature-4 button").click()
    page.get_by_role("heading", name=re.compile(r"x-feature 4\b.*, part by part")).wait_for()
    page.get_by_role("button", name="Next").click()
    page.wait_for_url("**photo=**")
    opened.wait_for_link()
    on_photo = page.url
    assert page.evaluate("history.length") == entries
    titles = []
    for number, name in enumerate(("Category", "About", "X-feature"), start=1):
        titles.append(page.title())
        page.get_by_role("link", name=name, exact=True).click()
        page.wait_for_url(f"**/{name.lower().replace('-', '_')}*")
        opened.wait_until_idle()
        assert page.evaluate("history.length") == entries + number
    for title in reversed(titles):
        page.go_back()
        # Only when the page is there does Streamlit know where it is.
        page.wait_for_function("title => document.title === title", arg=title)
        opened.wait_until_idle()
    assert page.url == on_photo
    page.get_by_role("heading", name=re.compile(r"x-feature 4\b.*, part by part")).wait_for()
    opened.check()


def test_back_leads_to_the_page_of_a_list(visit: Any) -> None:
    opened = visit("/atlas")
    opened.wait_until_idle()
    page = opened.page
    entries = page.evaluate("history.length")
    page.get_by_test_id("stMain").locator("button", has_text=re.compile("^2$")).click()
    page.wait_for_url("**atlas_page=2")
    opened.wait_until_idle()
    page.locator(".st-key-gallery-atlas a").nth(1).click()
    page.wait_for_url("**/x_feature*")
    opened.wait_until_idle()
    assert page.evaluate("history.length") == entries + 1
    page.go_back()
    page.wait_for_url("**atlas_page=2")
    opened.wait_until_idle()
    assert page.url.endswith("atlas_page=2")
    opened.check()


@pytest.mark.parametrize("before", ["nothing", "a tile", "a section"])
def test_a_link_to_another_view_of_the_page_adds_one_entry(visit: Any, before: str) -> None:
    opened = visit("/photo")
    opened.wait_for_link()
    page = opened.page
    if before == "a tile":
        page.locator(".st-key-show-x-feature-4 button").click()
        page.get_by_role("heading", name=re.compile(r"x-feature 4\b.*, part by part")).wait_for()
    elif before == "a section":
        page.get_by_text("Why not another bird?").click()
        page.get_by_text("X-features are paired").wait_for()
    opened.wait_until_idle()
    heading = page.get_by_role("heading", name=re.compile("^Why “"))
    first, entries = heading.text_content(), page.evaluate("history.length")
    page.get_by_role("link", name=re.compile("^Explained as ")).first.click()
    page.wait_for_function(
        "first => ![...document.querySelectorAll('h1, h2, h3')].some(h => h.textContent === first)",
        arg=first,
    )
    opened.wait_until_idle()
    assert page.evaluate("history.length") == entries + 1
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollTop") == 0
    second = heading.text_content()
    page.go_back()
    page.get_by_role("heading", name=first, exact=True).wait_for()
    opened.wait_until_idle()
    page.go_forward()
    page.get_by_role("heading", name=second, exact=True).wait_for()
    opened.check()


def test_downloaded_tables_can_be_read(visit: Any, tmp_path: Path) -> None:
    opened = visit("/category")
    opened.wait_for_link()
    with opened.page.expect_download() as download:
        opened.page.get_by_role("button", name="Every photo's numbers (CSV)").click()
    file = tmp_path / "numbers.csv"
    download.value.save_as(file)
    name = "citrine-moonbar-tanager_srae-concepts-k5-s0_photos.csv"
    assert download.value.suggested_filename == name
    rows = list(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8"))))
    assert len(rows) == 960
    terms = [float(rows[0][f"contribution_{n}"]) for n in range(1, 6)]
    total = float(rows[0]["base"]) + sum(terms)
    assert total == pytest.approx(float(rows[0]["y_bar"]), abs=1e-3)

    opened = visit("/")
    opened.wait_for_link()
    with opened.page.expect_download() as download:
        opened.page.get_by_role("button", name="All key figures (CSV)").click()
    download.value.save_as(file)
    rows = list(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8"))))
    assert len(rows) == 16
    assert all(0 < float(row["f_reg"]) < 1 and float(row["accuracy"]) > 0.5 for row in rows)


def test_the_theme_can_be_switched(visit: Any, artefacts: Path) -> None:
    opened = visit("/category", scheme="light")
    opened.wait_for_link()

    def read_colours() -> list[str]:
        colours: list[str] = opened.page.evaluate(
            "[getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor, "
            "getComputedStyle(document.querySelector('.js-plotly-plot .ytick text')).fill, "
            "getComputedStyle(document.querySelector('.js-plotly-plot .annotation-text')).fill]"
        )
        return colours

    opened.page.locator(".js-plotly-plot .ytick text").first.wait_for()
    light = read_colours()
    opened.page.get_by_test_id("stMainMenu").get_by_role("button").click()
    opened.page.get_by_role("menuitemradio", name="Dark").click()
    opened.page.wait_for_function(
        "before => getComputedStyle(document.querySelector('[data-testid=stApp]'))"
        ".backgroundColor !== before",
        arg=light[0],
    )
    opened.page.keyboard.press("Escape")
    opened.wait_for_link()
    dark = read_colours()
    assert all(before != now for before, now in zip(light, dark, strict=True))
    opened.save_screenshot(artefacts / "theme-switched.png")
    opened.check()


def test_a_category_can_be_reached_by_keyboard(visit: Any) -> None:
    opened = visit()
    opened.wait_for_link()
    link = opened.page.get_by_role("link", name="Citrine Moonbar Warbler")
    link.focus()
    opened.page.keyboard.press("Enter")
    opened.page.get_by_role("heading", name="Citrine Moonbar Warbler").wait_for()
    opened.wait_for_link()
    address = parse_qs(urlsplit(opened.page.url).query)
    assert address["category"] == ["Citrine Moonbar Warbler"]
    opened.check()


@pytest.mark.parametrize("way", ["pointer", "keyboard"])
def test_a_card_is_a_link_as_a_whole(visit: Any, way: str) -> None:
    opened = visit("/atlas?find_feature=tanager")
    opened.wait_for_link()
    page = opened.page
    card = page.locator("[class*=st-key-gallery-tile-atlas-]").nth(1)
    link = card.get_by_role("link")
    number = parse_qs(urlsplit(link.get_attribute("href")).query)["feature"][0]
    if way == "pointer":
        card.click(position={"x": 30, "y": 30})  # on its picture
    else:
        page.locator("[class*=st-key-gallery-tile-atlas-] a").first.focus()
        page.keyboard.press("Tab")
        shown = "getComputedStyle(document.activeElement, '::after').outlineStyle"
        assert page.evaluate(shown) == "solid"
        page.keyboard.press("Enter")
    page.get_by_role("heading", name=re.compile(f"^{number}"), level=1).wait_for()
    opened.wait_for_link()
    opened.check()


def test_a_small_bird_opens_its_x_feature_and_not_the_chosen_one(visit: Any) -> None:
    opened = visit("/category")
    opened.wait_for_link()
    page = opened.page
    bird = page.locator("[class*=st-key-bird-other-]").first
    bird.scroll_into_view_if_needed()
    name = bird.get_by_role("link").inner_text()
    bird.click(position={"x": 30, "y": 30})
    page.get_by_role("heading", name=name, exact=True, level=1).wait_for()
    opened.wait_for_link()
    opened.check()


def test_a_cell_of_the_confusion_matrix_shows_its_photos(visit: Any) -> None:
    opened = visit("/results")
    opened.wait_for_link()
    page = opened.page
    figure = page.locator(".st-key-figure-confusion")
    figure.scroll_into_view_if_needed()
    cell = figure.locator(".scatterlayer path.point").first.bounding_box()
    page.mouse.move(cell["x"] + cell["width"] / 2, cell["y"] + cell["height"] / 2)
    told = figure.locator(".hovertext")
    told.wait_for()
    assert "Citrine Moonbar Tanager, named correctly: " in told.text_content()
    page.mouse.click(cell["x"] + cell["width"] / 2, cell["y"] + cell["height"] / 2)
    page.get_by_test_id("stCode").filter(
        has_text="Citrine+Moonbar+Tanager%2C+named+correctly"
    ).wait_for()
    opened.wait_for_link()
    photo = page.locator("[class*=st-key-gallery-tile-confusion-]").first
    name = photo.inner_text()
    photo.click(position={"x": 30, "y": 30})
    page.get_by_text(f"{name}: Citrine Moonbar Tanager").wait_for()
    opened.wait_until_done()
    opened.check()
