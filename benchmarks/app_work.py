"""Counts what the app computes, reads and sends at start-up and in typical steps after it.

A server on the loopback interface is used in Chromium; see docs/performance.md.
"""

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from common import copy_demo, describe_machine, find_chromium, serve_app

from explorer.config import DEMO_WORKSPACE

TIMEOUT_MS = 120_000
_IMAGES = """
[...document.querySelectorAll('[data-testid=stImage] img:not([alt^="Colour bar"])')].map(image =>
  ({url: image.src, width: image.naturalWidth, shown: image.getBoundingClientRect().width}))
"""


@dataclass
class Traffic:
    """Data received by the browser in a step: bytes, and picture sizes by address."""

    socket: int = 0
    files: int = 0
    pictures: dict[str, int] = field(default_factory=dict)


class Watcher:
    """A page in Chromium that counts received bytes, and reads the events of the server."""

    def __init__(self, browser: Any, events: Path, width: int) -> None:
        self.page = browser.new_context(viewport={"width": width, "height": 900}).new_page()
        self.page.set_default_timeout(TIMEOUT_MS)
        self.page.on("websocket", self._watch_socket)
        self.page.on("response", self._note_response)
        self.events, self.offset = events, 0
        self.traffic = Traffic()

    def _watch_socket(self, socket: Any) -> None:
        socket.on("framereceived", self._note_frame)

    def _note_frame(self, payload: str | bytes) -> None:
        self.traffic.socket += len(payload)

    def _note_response(self, response: Any) -> None:
        size = int(response.headers.get("content-length", 0))
        if urlsplit(response.url).path.startswith("/media/"):
            self.traffic.files += size
            self.traffic.pictures[response.url] = size

    def wait(self) -> None:
        """Wait for the link at the end of the page, and for the script and the pictures."""
        self.page.get_by_text("A link to exactly this view").wait_for()
        self.wait_until_idle()

    def wait_until_idle(self) -> None:
        self.page.wait_for_timeout(300)  # until a click has reached the server
        self.page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
        self.page.wait_for_function(
            "[...document.images].every(image => image.complete && image.naturalWidth > 0)"
        )
        self.page.wait_for_timeout(200)

    def read_events(self) -> list[tuple[float, str, str]]:
        """Return the events that the server has recorded since the last call."""
        with self.events.open(encoding="utf-8") as file:
            file.seek(self.offset)
            lines = file.readlines()
            self.offset = file.tell()
        return [tuple(json.loads(line)) for line in lines]

    def measure(self, title: str, act: Callable[[], None]) -> None:
        """Perform a step on the page and print what it needed."""
        self.read_events()
        self.traffic = Traffic()
        start = time.time()
        act()
        seconds = time.time() - start
        print(f"\n{title}")
        report_computed(self.read_events(), start)
        report_sent(self.traffic, self.page.evaluate(_IMAGES))
        print(f"  total     {seconds:.1f} s")


def report_computed(events: list[tuple[float, str, str]], start: float) -> None:
    """Print what was computed and read in a step, and whether torch was imported."""
    computed = Counter(kind for _, kind, _ in events if kind not in ("read", "torch"))
    read = [what for _, kind, what in events if kind == "read"]
    kinds = Counter(what.partition(" ")[0] for what in read)
    torch = [when - start for when, kind, _ in events if kind == "torch"]
    print(f"  computed  {_join(computed)}")
    print(f"  read      {_join(kinds)}; {len(read) - len(set(read))} of them repeated")
    print(f"  torch     {f'imported after {torch[0]:.1f} s' if torch else 'not imported'}")


def report_sent(traffic: Traffic, images: list[dict[str, Any]]) -> None:
    """Print what was sent to the browser in a step, and the displayed sizes of pictures."""
    print(
        f"  sent      {traffic.socket / 1000:,.1f} kB over the socket, "
        f"{traffic.files / 1000:,.1f} kB in {len(traffic.pictures)} pictures"
    )
    shown = [image for image in images if image["url"] in traffic.pictures]
    sizes = Counter((image["width"], round(image["shown"])) for image in shown)
    for (width, displayed), count in sorted(sizes.items()):
        print(f"            {count:3} × width {width} pixels, displayed at {displayed}")


def _join(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items())) or "nothing"


def browse(watcher: Watcher, url: str, upload: Path) -> None:
    """Measure typical steps, starting with the first page of a new server."""
    page = watcher.page

    def go(address: str) -> Callable[[], None]:
        def act() -> None:
            page.goto(url + address)
            watcher.wait()

        return act

    def choose_category(name: str) -> None:
        page.get_by_test_id("stSidebar").get_by_label("Category", exact=True).click()
        page.get_by_role("option", name=name).click()
        page.get_by_role("heading", name=name).first.wait_for()
        watcher.wait()

    def press(name: str) -> None:
        page.get_by_role("radio", name=name, exact=True).first.click()
        watcher.wait()

    def step() -> None:
        page.get_by_role("button", name="Next", exact=True).click()
        watcher.wait()

    def upload_photo() -> None:
        page.locator("input[type=file]").first.set_input_files(upload)
        page.get_by_role("button", name="Raw maps and numbers").wait_for()
        watcher.wait_until_idle()

    def choose_tile() -> None:
        page.locator(".st-key-tile-4 img").click(position={"x": 20, "y": 60}, force=True)
        watcher.wait_until_idle()

    def start() -> None:
        page.goto(url)
        page.get_by_text("accuracy").first.wait_for()
        print(f"\n(the first birds were visible after {time.time() - began:.1f} s)", end="")
        watcher.wait()

    began = time.time()
    watcher.measure("Start-up: the Overview page of a new server", start)
    watcher.measure("The Overview page again, in a new session", go("/"))
    watcher.measure("The Category page", go("/category"))
    watcher.measure("  Category switch", lambda: choose_category("Citrine Moonbar Redstart"))
    watcher.measure("The X-feature page", go("/x_feature"))
    watcher.measure("  X-feature switch", lambda: press("x-feature 5"))
    watcher.measure("  Another x-feature switch", lambda: press("x-feature 4"))
    watcher.measure("The Photo page", go("/photo"))
    watcher.measure("  X-feature switch", choose_tile)
    watcher.measure("  Photo switch", step)
    page.goto(f"{url}/your_photo")
    page.locator("input[type=file]").first.wait_for(state="attached")
    watcher.wait_until_idle()
    watcher.measure("Upload", upload_photo)
    watcher.measure("  X-feature switch", choose_tile)


def make_upload(folder: Path) -> Path:
    """Write a photo of the size of a phone camera's: an enlarged bird of the demo."""
    from PIL import Image  # noqa: PLC0415

    photo = sorted((DEMO_WORKSPACE / "birds" / "images").rglob("*.jpg"))[30]
    file = folder / "upload.jpg"
    with Image.open(photo) as image:
        image.resize((2400, 1800), Image.Resampling.BICUBIC).save(file, quality=90)
    return file


def main() -> None:
    """Measure the app on a copy of the demo whose features are not computed yet."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, default=1440, help="width of the window, in pixels")
    options = parser.parse_args()
    print(describe_machine("streamlit", "torch", "playwright"))
    print(f"Command: {' '.join(sys.argv)}")
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        workspace = copy_demo(folder)
        browser = playwright.chromium.launch(
            executable_path=find_chromium(), args=["--no-sandbox", "--disable-gpu"]
        )
        with serve_app(folder, workspace) as (url, _):
            browse(
                Watcher(browser, folder / "events.jsonl", options.width), url, make_upload(folder)
            )
        browser.close()


if __name__ == "__main__":
    main()
