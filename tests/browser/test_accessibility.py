"""Every page, in both themes and on both widths, as axe-core and a keyboard find it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from requirements import skip_or_fail

from explorer.config import PAGES_DIR

pytestmark = pytest.mark.browser

AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
PAGES = sorted(path.stem for path in PAGES_DIR.glob("*.py"))
LOOKS = ((1440, "light"), (1440, "dark"), (390, "dark"), (390, "light"))
SEVERE = {"serious", "critical"}
# Less than serious to axe, and promised all the same: headings in order, targets of 24 pixels.
PROMISED = {"heading-order", "page-has-heading-one", "target-size", "image-alt", "document-title"}
FIND = """
axe.run(document, {
  resultTypes: ["violations"],
  rules: {"target-size": {enabled: true}},
}).then(found => found.violations.map(one => [
  one.id, one.impact, one.nodes.map(node => node.html.slice(0, 150) + " " + node.failureSummary),
]))
"""
# The ring or the shadow of what has the focus: of the element itself, or of one around or in it.
FIND_RING = """
() => {
  const on = document.activeElement;
  const near = [on, on.parentElement, on.parentElement?.parentElement, ...on.children];
  const isMarked = element => {
    const style = getComputedStyle(element);
    return (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2)
      || style.boxShadow !== "none";
  };
  return [on.outerHTML.slice(0, 120), near.some(element => element && isMarked(element))];
}
"""


@pytest.fixture(scope="module")
def page(browser: Any, app_url: str) -> Iterator[Any]:
    """Return one page of one browser, which all tests drive in turn."""
    context = browser.new_context(color_scheme="light")
    page = context.new_page()
    page.set_default_timeout(90_000)
    yield page
    context.close()


@pytest.fixture(scope="module")
def axe() -> str:
    if not AXE.is_file():
        skip_or_fail("axe-core is missing: run `npm ci --prefix tests/browser`.")
    return AXE.read_text(encoding="utf-8")


def wait(page: Any) -> None:
    page.locator("h1").first.wait_for()
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
    page.wait_for_function("!document.querySelector('[data-testid=stSkeleton]')")
    page.wait_for_function("[...document.images].every(image => image.complete)")


def open_page(page: Any, url: str, name: str) -> None:
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(f"{url}/{'' if name == 'overview' else name}")
    wait(page)


def check(page: Any, axe: str, what: str) -> None:
    """Check what is shown, in both themes and on both widths."""
    page.evaluate(axe)
    for width, scheme in LOOKS:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        page.wait_for_timeout(300)  # colours fade over
        wait(page)
        severe = [
            (rule, nodes)
            for rule, impact, nodes in page.evaluate(FIND)
            if impact in SEVERE or rule in PROMISED
        ]
        assert severe == [], f"{what}, {width} pixels, {scheme}"
        # The tools of figures would cover numbers there.
        assert width > 640 or page.locator(".modebar-container:visible").count() == 0


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing_serious(page: Any, axe: str, app_url: str, name: str) -> None:
    open_page(page, app_url, name)
    check(page, axe, name)
    heading = page.locator("[data-testid=stSidebarNavLink][aria-current=page]").inner_text()
    assert page.title() == f"{heading.splitlines()[-1]} – SRAE explorer"


def test_axe_finds_nothing_serious_in_a_question(page: Any, axe: str, app_url: str) -> None:
    open_page(page, app_url, "quiz?quiz_questions=2&quiz_condition=photo+%2B+explanation")
    page.get_by_role("button", name="Start the quiz").click()
    page.get_by_text("Question 1 of 2").wait_for()
    check(page, axe, "a question of the quiz")
    page.get_by_role("button", name="Stop this quiz").click()


def test_axe_finds_what_is_wrong(page: Any, axe: str) -> None:
    page.set_content("<main><h1>A</h1><h4>B</h4><p style='color: #999'>grey</p><img src=''></main>")
    page.evaluate(axe)
    found = {rule for rule, _, _ in page.evaluate(FIND)}
    assert {"heading-order", "color-contrast", "image-alt", "document-title"} <= found


def test_every_choice_is_framed(page: Any, app_url: str) -> None:
    open_page(page, app_url, "results")
    widths = page.locator("[data-variant=segmented_control]").evaluate_all(
        """choices => choices.map(choice => {
          const style = getComputedStyle(choice);
          return ["Top", "Right", "Bottom", "Left"].map(side =>
            parseFloat(style[`border${side}Width`]) * (style[`border${side}Style`] === "solid"));
        })"""
    )
    assert len(widths) >= 5  # in two lines
    assert all(min(sides) > 0 for sides in widths)


@pytest.mark.parametrize("name", ["training", "results"])
def test_what_the_keyboard_is_on_can_be_seen(page: Any, app_url: str, name: str) -> None:
    page.emulate_media(color_scheme="light")
    open_page(page, app_url, name)
    unmarked = []
    for _ in range(45):
        page.keyboard.press("Tab")
        page.wait_for_timeout(30)
        element, is_marked = page.evaluate(FIND_RING)
        if not is_marked and not element.startswith("<body"):
            unmarked.append(element)
    assert unmarked == []
