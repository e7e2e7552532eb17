"""A module and a probe side by side, from the choice to the link."""

from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.browser


def test_a_probe_is_compared_with_a_module(visit: Any, artefacts: Path) -> None:
    opened = visit("/compare")
    opened.wait_for_link()
    page = opened.page
    page.locator(".st-key-right_by").get_by_role("combobox").click()
    page.get_by_role("option", name="PCA probe").click()
    page.get_by_text("Right: Citrine Moonbar Tanager, PCA probe").first.wait_for()
    page.get_by_test_id("stCode").filter(has_text="right_by=PCA+probe").wait_for()
    opened.wait_for_link()
    assert page.get_by_text("· probe's ").count() == 4
    assert page.get_by_role("img", name="Heatmap of component 5 over the photo").count() == 4
    page.get_by_role("button", name="Swap").click()
    page.get_by_test_id("stCode").filter(has_text="left_by=PCA+probe").wait_for()
    opened.wait_for_link()
    link = opened.get_link()
    opened.check()

    other = visit(link, width=390, scheme="dark")
    other.wait_for_link()
    assert other.get_link() == link
    other.save_screenshot(artefacts / "compare-probe-390-dark.png")
    other.check()
