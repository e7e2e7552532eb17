"""What a run of each page costs: processor seconds, elements and bytes, beside another version.

    python benchmarks/page_cost.py
    python benchmarks/page_cost.py --other ../older-clone

Pages run without a browser, on a copy of the demo. *Cold* is the first run in a process, *new* the
first one of another session, and *again* the same session's second run. Both versions take turns,
each time in a new process; the figures are medians. Processor seconds do not depend on other work
on the machine, and include what Streamlit itself does.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from common import describe_machine

from explorer.config import DEMO_WORKSPACE, REPOSITORY_ROOT, WORKSPACE_VARIABLE

PAGES = (
    *("overview", "category", "x_feature", "photo", "compare", "results", "atlas", "photo_map"),
    *("quiz", "training", "your_photo", "about"),
)
# Prints a JSON line per page. It runs in either version, so it needs nothing of the explorer.
_SCRIPT = """
import functools, json, sys, time
from pathlib import Path
from streamlit.components.v2 import manifest_scanner
from streamlit.runtime.forward_msg_queue import ForwardMsgQueue
from streamlit.testing.v1 import AppTest

root, pages = Path(sys.argv[1]), sys.argv[2:]
sent = []
enqueue = ForwardMsgQueue.enqueue

def count(self, message):
    sent.append(message.ByteSize())
    return enqueue(self, message)

ForwardMsgQueue.enqueue = count
# A server does so once, and not for every session.
scan = manifest_scanner.scan_component_manifests
manifest_scanner.scan_component_manifests = functools.cache(scan)

def measure(run):
    sent.clear()
    began = time.process_time()
    found = run()
    return found, [time.process_time() - began, len(sent), sum(sent)]

def open_page(page):
    app = AppTest.from_file(root / "explorer" / "app.py", default_timeout=600)
    app.switch_page(f"../pages/{page}.py")
    return app.run()

open_page("about")  # imports what every page needs
for page in pages:
    _, cold = measure(lambda: open_page(page))
    app, new = measure(lambda: open_page(page))
    _, again = measure(app.run)
    if app.exception or app.error:
        raise SystemExit(f"{page}: {[one.value for one in (*app.exception, *app.error)]}")
    print(json.dumps({"page": page, "cold": cold, "new": new, "again": again}), flush=True)
"""


def measure_version(root: Path, workspace: Path, pages: list[str]) -> dict[str, dict[str, list]]:
    """Run pages of the version in `root` in a new process; return figures by page and run."""
    environment = {**os.environ, "PYTHONPATH": str(root), WORKSPACE_VARIABLE: str(workspace)}
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, str(root), *pages],
        cwd=root, env=environment, capture_output=True, check=False, text=True,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(done.stderr.strip().splitlines()[-1])
    found = map(json.loads, done.stdout.splitlines())
    return {one.pop("page"): one for one in found}


def main() -> None:
    """Measure all pages of this version, and of another one."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pages", nargs="*", default=list(PAGES))
    parser.add_argument("--other", type=Path, help="a clone of another version")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    print(describe_machine("streamlit", "plotly"))
    versions = {"this": REPOSITORY_ROOT} | ({"other": options.other} if options.other else {})
    found: dict[str, list[dict[str, dict[str, list]]]] = {name: [] for name in versions}
    for _ in range(options.repeats):
        for name, root in versions.items():
            with tempfile.TemporaryDirectory() as folder:
                workspace = Path(shutil.copytree(DEMO_WORKSPACE, Path(folder) / "demo"))
                found[name].append(measure_version(root.resolve(), workspace, options.pages))
    print(f"{'page':10}  run    " + "".join(f"{name:>9}, s  elements      kB" for name in versions))
    for page in options.pages:
        for run in ("cold", "new", "again"):
            cells, seconds = "", []
            for name in versions:
                figures = [one[page][run] for one in found[name]]
                time, elements, size = (
                    statistics.median(column) for column in zip(*figures, strict=True)
                )
                seconds.append(time)
                cells += f"{time:12.3f}{elements:10.0f}{size / 1000:8.1f}"
            ratio = f"   {seconds[-1] / seconds[0]:.2f} times" if len(seconds) > 1 else ""
            print(f"{page:10}  {run:5}  {cells}{ratio}")


if __name__ == "__main__":
    main()
