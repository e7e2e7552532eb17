"""How long a visitor waits for the explanation of a photo, in Chromium, cold and warm.

    python benchmarks/own_photo.py PHOTO PHOTO …

For each start of the server, the first photo meets a network that has not been loaded; the others,
which should be different ones, meet one that has. Times are in seconds, from the choice of the file
to the verdict, to the sentence and coarse heatmaps, and to all heatmaps. At first, the same without
server and browser: what the network, its module and the maps take.
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from common import describe_machine, find_chromium, serve_app

from explorer.config import BIRDS_WORKSPACE
from explorer.data.samples import draw_meadow
from explorer.data.uploads.decoding import read_upload
from explorer.explaining.photo import answer_photo
from explorer.workspace.workspace import Workspace

_TIMEOUT = 120_000  # milliseconds
_MAPS = ".st-key-tiles [data-testid=stImage] img"
_ARE_COARSE = f"""() => {{
  const pictures = [...document.querySelectorAll("{_MAPS}")];
  const bars = document.querySelectorAll(".st-key-tiles .share-bar").length; // one below each map
  return bars && pictures.length > bars && pictures.every(one => one.complete && one.naturalWidth);
}}"""
_ARE_DRAWN = f"() => !document.querySelector('.st-key-coarse-tiles') && ({_ARE_COARSE})()"


def measure_network(workspace: Path, photos: list[Path]) -> None:
    """Print how long the decoded photos take to scores and coarse maps, and to fine ones."""
    opened = Workspace(workspace)
    backbone, entries = opened.networks.backbone, opened.list_modules()
    layer = backbone.coarse_stop
    assert layer is not None
    coarse, fine = [], []
    opened.networks.score_image(draw_meadow())  # loads what is loaded at first
    for photo in photos:
        image = read_upload(photo.read_bytes()).pixels
        began = time.perf_counter()
        answer = answer_photo(opened, None, image)
        (entry, *_) = (one for one in entries if one.category == answer.first)
        opened.networks.explain(entry, image, layer)
        coarse.append(time.perf_counter() - began)
        opened.networks.explain(entry, image)
        fine.append(time.perf_counter() - began)
    for name, times in ((f"scores and maps at {layer}", coarse), ("maps at full size", fine)):
        print(f"network alone, {name}: {statistics.median(times):.2f} s after decoding")


def open_page(browser: Any, url: str, width: int) -> Any:
    page = browser.new_context(viewport={"width": width, "height": 900}).new_page()
    page.set_default_timeout(_TIMEOUT)
    page.goto(f"{url}/your_photo")
    page.locator("input[type=file]").first.wait_for(state="attached")
    page.wait_for_function("document.querySelectorAll('input[type=file]').length === 1")
    return page


def explain(page: Any, photo: Path) -> tuple[float, float, float]:
    """Upload a photo; return the seconds to the verdict, to coarse and to all heatmaps."""
    began = time.perf_counter()
    page.locator("input[type=file]").set_input_files(photo)
    page.locator(".st-key-verdict strong").first.wait_for()
    verdict = time.perf_counter() - began
    page.wait_for_function(_ARE_COARSE)
    coarse = time.perf_counter() - began
    page.wait_for_function(_ARE_DRAWN)
    return verdict, coarse, time.perf_counter() - began


def measure_start(browser: Any, workspace: Path, photos: list[Path], width: int) -> list[float]:
    """Explain photos on a new server; print their times, and return those to all heatmaps."""
    whole = []
    with tempfile.TemporaryDirectory() as folder, serve_app(Path(folder), workspace) as (url, _):
        for number, photo in enumerate(photos):
            page = open_page(browser, url, width)
            verdict, coarse, maps = explain(page, photo)
            page.context.close()
            kind = "warm" if number else "cold"
            print(
                f"{kind}  {photo.name:40.40}  verdict {verdict:5.2f}  coarse {coarse:5.2f}  "
                f"heatmaps {maps:5.2f}"
            )
            whole.append(maps)
    return whole


def main() -> None:
    """Measure several starts."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photos", nargs="+", type=Path, help="photos of known species")
    parser.add_argument("--workspace", type=Path, default=BIRDS_WORKSPACE)
    parser.add_argument("--starts", type=int, default=3, help="how often the server is started")
    parser.add_argument("--width", type=int, default=1440, help="width of the window, in pixels")
    options = parser.parse_args()
    print(describe_machine("streamlit", "torch", "playwright"))
    print(f"Command: {' '.join(sys.argv)}")
    measure_network(options.workspace, options.photos)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_chromium(), args=["--no-sandbox", "--disable-gpu"]
        )
        starts = [
            measure_start(browser, options.workspace, options.photos, options.width)
            for _ in range(options.starts)
        ]
        browser.close()
    cold, warm = [one[0] for one in starts], [time for one in starts for time in one[1:]]
    for kind, times in (("cold", cold), ("warm", warm)):
        if times:
            print(f"{kind}: median {statistics.median(times):.2f}, most {max(times):.2f}")


if __name__ == "__main__":
    main()
