"""A training from the first click to the new module, as two visitors see it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]

BIRD = "Harebell-capped Finch"
WIDTHS = (1440, 390)


@pytest.fixture
def workshop(
    own_workspace: Path, tmp_path: Path, state_folder: Path, serve: Callable[..., Any]
) -> Iterator[str]:
    """Start a separate app on a small workspace, and return its address."""
    with serve(tmp_path / "log.txt", own_workspace) as url:
        yield url


def choose_at_once(visit: Any, form: Any, list_name: str, option: str, button: str) -> None:
    """Choose from a list, and click on a button where it was before, without waiting."""
    box = form.locator(button).bounding_box()
    form.get_by_role("combobox", name=list_name).click()
    visit.page.get_by_role("option", name=option).click()
    visit.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


def choose(form: Any, epochs: int, seed: int = 0) -> None:
    for label, value in (("Epochs", epochs), ("Seed", seed)):
        box = form.get_by_role("spinbutton", name=label)
        box.fill(str(value))
        box.press("Enter")


def watch(visit: Any) -> None:
    """Wait until both curves are drawn."""
    for name in ("loss", "f-reg"):
        figure = visit.page.locator(f".st-key-figure-training-{name} .js-plotly-plot").first
        figure.locator(".trace").first.wait_for(state="attached")


def test_from_the_first_click_to_the_new_module(
    visit_address: Callable[..., Any], workshop: str, artefacts: Path
) -> None:
    opened = visit_address(f"{workshop}/photo")
    opened.wait_until_done()
    page = opened.page
    sidebar = page.get_by_test_id("stSidebar")
    sidebar.get_by_role("link", name="All settings and trainings").click()
    form = page.get_by_test_id("stMain")
    form.get_by_text("Runs 60 epochs over").wait_for()
    choose(form, 200_000)
    opened.save_screenshot(artefacts / "training-form-1440.png")
    form.get_by_role("button", name="Remove Ember-capped Finch").click()
    form.get_by_text("Choose at least one category.").wait_for()
    choose_at_once(opened, form, "Categories", BIRD, ".st-key-training-train")
    sidebar.locator(".st-key-polled-sidebar").get_by_text(" left").wait_for()
    assert "of 200000" in sidebar.locator(".st-key-polled-sidebar").inner_text()
    opened.save_screenshot(artefacts / "training-sidebar-1440.png")
    watch(opened)

    # Reloading, or closing the tab and coming back, loses nothing.
    page.reload()
    watch(opened)
    epoch = page.get_by_text("on test photos and").inner_text()
    page.wait_for_function(
        "before => ![...document.querySelectorAll('p')].some(p => p.innerText === before)",
        arg=epoch,
    )

    # A second visitor sees the queue before and after adding to it, on a phone too.
    for width, scheme in ((1440, "dark"), (390, "light"), (390, "dark")):
        guest = visit_address(f"{workshop}/training", width=width, scheme=scheme)
        watch(guest)
        guest.save_screenshot(artefacts / f"training-running-{width}-{scheme}.png")
        guest.check()
        guest.context.close()
    second = visit_address(f"{workshop}/training")
    watch(second)
    main = second.page.get_by_test_id("stMain")
    main.get_by_text("1 training is ahead on this device").wait_for()
    choose(main, 30, seed=1)
    main.get_by_role("button", name="Remove Ember-capped Finch").click()
    choose_at_once(second, main, "Categories", BIRD, ".st-key-training-train")
    main.get_by_text(f"Waits for the CPU, behind {BIRD}").wait_for()
    page.get_by_test_id("stMain").get_by_role("cell", name="waiting").wait_for()
    second.save_screenshot(artefacts / "training-queue-1440.png")

    # After the first is cancelled, the second finishes, and both visitors see its module.
    page.get_by_test_id("stMain").get_by_role("button", name="Cancel").click()
    page.get_by_test_id("stAlert").get_by_text("Cancelled.").wait_for()
    told = second.page.get_by_test_id("stAlert").get_by_text("1 module trained and measured.")
    told.wait_for()
    second.wait_until_idle()
    second.save_screenshot(artefacts / "training-finished-1440.png")
    main.get_by_role("link", name=f"{BIRD}, explained").click()
    second.page.get_by_role("heading", name=f"Why “{BIRD}”?").wait_for()
    second.wait_until_done()
    page.get_by_text("2 of 12 categories have a module.").first.wait_for()
    for each in (opened, second):
        each.check()


def test_a_click_right_after_choosing_counts(
    visit_address: Callable[..., Any], workshop: str, artefacts: Path
) -> None:
    opened = visit_address(f"{workshop}/about")
    opened.page.get_by_role("heading", name="Versions").wait_for()
    opened.wait_until_idle()
    sidebar = opened.page.get_by_test_id("stSidebar")
    button = ".st-key-training-start-sidebar"
    assert sidebar.locator(button).bounding_box()["y"] < 860  # above the fold
    choose_at_once(opened, sidebar, "Train a module for", BIRD, button)
    running = sidebar.locator(".st-key-polled-sidebar")
    running.get_by_text(BIRD).wait_for()
    opened.save_screenshot(artefacts / "training-one-click-1440.png")
    running.get_by_role("button", name="Cancel").click()
    running.get_by_text("Cancelled.").wait_for()
    opened.check()


@pytest.mark.parametrize("width", WIDTHS)
def test_the_first_module_of_a_workspace(
    visit_address: Callable[..., Any],
    workshop: str,
    own_workspace: Path,
    artefacts: Path,
    width: int,
) -> None:
    for file in (own_workspace / "modules").glob("*/*/*"):
        file.unlink()
    opened = visit_address(f"{workshop}/photo", width=width)
    page = opened.page
    main = page.get_by_test_id("stMain")
    main.get_by_role("button", name="Train", exact=True).wait_for()
    opened.wait_until_idle()
    opened.save_screenshot(artefacts / f"training-first-{width}.png")
    main.get_by_role("button", name="Train", exact=True).click()
    page.get_by_role("heading", name="Why “Ember-capped Finch”?").wait_for(timeout=120_000)
    opened.wait_until_done()
    opened.check()
