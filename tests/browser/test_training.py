"""A training from the first click to the new module, as two visitors see it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]

BIRD = "Harebell capped Finch"
WIDTHS = (1440, 390)


@pytest.fixture
def workshop(
    own_workspace: Path, tmp_path: Path, state_folder: Path, serve: Callable[..., Any]
) -> Iterator[str]:
    """Start a separate app on a small workspace, and return its address."""
    with serve(tmp_path / "log.txt", own_workspace) as url:
        yield url


def open_form(visit: Any) -> Any:
    """Open the form in the sidebar, and return it."""
    sidebar = visit.page.get_by_test_id("stSidebar")
    sidebar.get_by_text("Train a module", exact=True).click()
    sidebar.get_by_role("spinbutton", name="Epochs").wait_for()
    return sidebar


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
    form = open_form(opened)
    choose(form, 200_000)
    opened.save_screenshot(artefacts / "training-form-1440.png")
    form.get_by_role("button", name="Train", exact=True).click()
    form.get_by_text(" left").wait_for()
    opened.save_screenshot(artefacts / "training-sidebar-1440.png")
    form.get_by_role("link", name="Curves and logs of trainings").click()
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
    second_form = open_form(second)
    second_form.get_by_text("1 training is ahead on this device").wait_for()
    choose(second_form, 30, seed=1)
    second_form.get_by_role("button", name="Add to the queue").click()
    main = second.page.get_by_test_id("stMain")
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
    main.get_by_role("link", name=f"See {BIRD} explained").click()
    second.page.get_by_role("heading", name=f"Why “{BIRD}”?").wait_for()
    second.wait_until_done()
    page.get_by_text("2 of 12 categories have a module.").wait_for()
    for each in (opened, second):
        each.check()


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
    main.get_by_role("button", name="Train a module").wait_for()
    opened.wait_until_idle()
    opened.save_screenshot(artefacts / f"training-first-{width}.png")
    main.get_by_role("button", name="Train a module").click()
    page.get_by_role("heading", name="Why “Ember capped Finch”?").wait_for(timeout=120_000)
    opened.wait_until_done()
    opened.check()
