import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from requirements import skip_or_fail
from streams import find_port

from explorer.config import DEMO_WORKSPACE, REPOSITORY_ROOT, WORKSPACE_VARIABLE

CHROMIUM_OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
ARTEFACTS = REPOSITORY_ROOT / "test-artefacts"
MOST_PIXELS = 2.05  # two for high-density screens, and rounding
TIMEOUT = 90_000  # generous, for busy machines


@pytest.fixture(scope="session")
def browser() -> Iterator:
    executable = shutil.which("chromium") or shutil.which("chromium-browser")
    if executable is None:
        skip_or_fail("There is no chromium on the PATH: install it to test the app in a browser.")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=CHROMIUM_OPTIONS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def app_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start the app on the demo as a user would, on a free port."""
    if not (DEMO_WORKSPACE / "workspace.json").is_file():
        skip_or_fail("The demo has not been built: run `python -m explorer demo`.")
    with serve_app(tmp_path_factory.mktemp("app") / "log.txt") as url:
        yield url


@pytest.fixture(scope="session")
def serve() -> Callable[..., contextlib.AbstractContextManager[str]]:
    """Return `serve_app`, for tests that need an app of their own."""
    return serve_app


@contextlib.contextmanager
def serve_app(log: Path, workspace: Path | None = None) -> Iterator[str]:
    """Run the app on a free port, and yield its address; check its log for tracebacks at the end.

    Parameters
    ----------
    log : Path
        Where its output goes.
    workspace : Path, optional
        What it opens; the demo where none is named.
    """
    port = find_port()
    command = [sys.executable, "-m", "streamlit", "run", "explorer/app.py"]
    command += ["--server.headless=true", "--server.address=127.0.0.1", f"--server.port={port}"]
    environment = dict(os.environ)
    environment[WORKSPACE_VARIABLE] = str(workspace or DEMO_WORKSPACE)
    with (
        log.open("ab") as output,
        subprocess.Popen(
            command, cwd=REPOSITORY_ROOT, stdout=output, stderr=subprocess.STDOUT, env=environment
        ) as process,
    ):
        try:
            wait_for(f"http://127.0.0.1:{port}/_stcore/health", process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(20)
    assert "Traceback" not in log.read_text()


def wait_for(url: str, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, "the app ended before it served a page"
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    raise TimeoutError(f"{url} has not answered for a minute")


@pytest.fixture(scope="session")
def artefacts() -> Path:
    ARTEFACTS.mkdir(exist_ok=True)
    return ARTEFACTS


class Visit:
    """A page in a separate browser context, with its errors."""

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
        # When a page is laid out anew, Streamlit drops pictures that a slow browser is still asking
        # for. Whether those that are shown have come is what `wait_until_idle` looks at.
        is_dropped = "/media/" in message.location["url"] + message.text
        if message.type == "error" and not (is_search or is_dropped):
            self.complaints.append(message.text)

    def switch_to(self, scheme: str) -> None:
        """Switch to a light or dark colour scheme."""
        self.page.emulate_media(color_scheme=scheme)
        self.page.get_by_test_id("stApp").wait_for()
        self.page.wait_for_function(
            "scheme => getComputedStyle(document.querySelector('[data-testid=stApp]'))"
            ".colorScheme === scheme",
            arg=scheme,
        )

    def wait_until_done(self) -> None:
        """Wait for the last element of the page, then for the script and the pictures."""
        self.page.get_by_role("button", name="Raw maps and numbers").wait_for()
        self.wait_until_idle()

    def wait_for_link(self) -> None:
        """Wait for the link to the view, with which most pages end, and for the pictures."""
        self.page.get_by_text("A link to exactly this view").wait_for()
        self.wait_until_idle()

    def wait_until_idle(self) -> None:
        self.page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
        self.page.wait_for_function("!document.querySelector('[data-testid=stSkeleton]')")
        self.page.wait_for_function(
            "[...document.images].every(image => image.complete && image.naturalWidth > 0)"
        )

    def get_link(self) -> str:
        text: str = self.page.get_by_test_id("stCode").last.inner_text()
        return text.replace("\n", "").strip()

    def save_screenshot(self, path: Path) -> None:
        """Save a screenshot of the whole page."""
        height = self.page.evaluate(
            "Math.max(...[...document.querySelectorAll('[data-testid=stMain], "
            "[data-testid=stSidebarContent]')].map(e => e.scrollHeight))"
        )
        size = self.page.viewport_size
        # Figures are resized when the scroll bar disappears.
        self.page.set_viewport_size({"width": size["width"], "height": min(int(height), 8000)})
        self.page.wait_for_timeout(600)
        self.page.screenshot(path=path)
        self.page.set_viewport_size(size)

    def check(self) -> None:
        """Check that there are no errors and no horizontal overflow."""
        assert self.complaints == []
        assert self.page.get_by_text("Traceback").count() == 0
        assert self.page.get_by_test_id("stException").count() == 0
        overflow = self.page.evaluate(
            "[document.scrollingElement, document.querySelector('[data-testid=stMain]')]"
            ".map(e => e.scrollWidth - e.clientWidth)"
        )
        assert max(overflow) <= 0
        assert [picture for picture in self.list_pictures() if picture[1] > MOST_PIXELS] == []
        assert self.list_cut_labels() == []

    def list_cut_labels(self) -> list[str]:
        """List the labels of visible buttons that have less room than their words."""
        found: list[str] = self.page.evaluate(
            "[...document.querySelectorAll('button[kind] p')]"
            ".filter(p => p.clientWidth && p.scrollWidth > p.clientWidth + 1)"
            ".map(p => p.innerText)"
        )
        return found

    def list_pictures(self) -> list[tuple[str, float]]:
        """List visible pictures: alternative text, and pixels of the file per pixel on screen."""
        found = self.page.evaluate(
            "[...document.querySelectorAll('[data-testid=stImage] img')]"
            ".filter(i => i.clientWidth && i.clientHeight).map(i => [i.alt, Math.max("
            "i.naturalWidth / i.clientWidth, i.naturalHeight / i.clientHeight)])"
        )
        return [(alt, ratio) for alt, ratio in found]


@pytest.fixture
def visit_address(browser: Any) -> Iterator[Callable[..., Visit]]:
    """Return a function that opens an address in a separate browser context."""
    visits: list[Visit] = []

    def open_page(url: str, **options: Any) -> Visit:
        visits.append(Visit(browser, url, **options))
        return visits[-1]

    yield open_page
    for opened in visits:
        opened.context.close()


@pytest.fixture
def visit(visit_address: Callable[..., Visit], app_url: str) -> Callable[..., Visit]:
    """Return a function that opens a page of the app on the demo, or a whole address."""

    def open_page(path: str = "/", **options: Any) -> Visit:
        return visit_address(path if path.startswith("http") else app_url + path, **options)

    return open_page
