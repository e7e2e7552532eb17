"""The data set disappears while pages are open, like an unplugged disk, and comes back."""

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from explorer.config import REPOSITORY_ROOT

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("state_folder")]
OpenApp = Callable[..., AppTest]
PAGES = {path.stem for path in (REPOSITORY_ROOT / "pages").glob("*.py")}
# The other pages show no photo until something is chosen.
WITH_PHOTOS = {"category", "compare", "overview", "photo", "x_feature"}


def list_faults(app: AppTest) -> list[str]:
    return [element.value.replace("\\", "") for element in (*app.error, *app.warning)]


@pytest.mark.parametrize("page", sorted(PAGES))
def test_an_open_page_reports_a_missing_data_set_and_recovers(
    page: str, own_workspace: Path, open_app: OpenApp
) -> None:
    app = open_app(own_workspace, page)
    before = list_faults(app)
    birds = own_workspace / "birds"
    gone = birds.rename(own_workspace.parent / "unplugged")
    app.run()
    assert not app.exception
    new = [fault for fault in list_faults(app) if fault not in before]
    is_told = any(str(birds) in fault or "cannot be read" in fault for fault in new)
    assert is_told == (page in WITH_PHOTOS)
    gone.rename(birds)
    app.run()
    assert not app.exception
    assert list_faults(app) == before


@pytest.mark.parametrize("page", sorted(PAGES - {"about"}))
def test_an_app_opened_without_its_data_set_recovers(
    page: str, own_workspace: Path, open_app: OpenApp
) -> None:
    birds = own_workspace / "birds"
    gone = birds.rename(own_workspace.parent / "unplugged")
    app = open_app(own_workspace, page)
    assert not app.exception
    assert any(str(birds) in fault for fault in list_faults(app))
    gone.rename(birds)
    app.run()
    assert not app.exception
    assert not app.error
