"""What a run of each page costs as a workspace gets more modules for each category.

    python benchmarks/many_modules.py --runs 1,5

Pages run without a browser, on copies of the real birds that come with the explorer, whose modules
are repeated under as many seeds. *Cold* is the first run in a process, *new* the first one of
another session, and *again* the same session's second run. Processor seconds do not depend on other
work on the machine.
"""

import argparse
import os
import shutil
import tempfile
from pathlib import Path

from common import describe_machine
from page_cost import PAGES, measure_version

from explorer.config import BIRDS_WORKSPACE, REPOSITORY_ROOT
from explorer.workspace.layout import MODULES_FOLDER


def grow_workspace(target: Path, runs: int) -> Path:
    """Copy the real birds, each of their modules under as many seeds; files are hard links."""
    shutil.copytree(BIRDS_WORKSPACE, target, copy_function=os.link)
    for folder in (target / MODULES_FOLDER).glob("*/*-s0-*"):
        for seed in range(1, runs):
            name = folder.name.replace("-s0-", f"-s{seed}-")
            shutil.copytree(folder, folder.with_name(name), copy_function=os.link)
    return target


def main() -> None:
    """Measure pages at each number of modules."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pages", nargs="*", default=list(PAGES))
    parser.add_argument("--runs", default="1,5", help="modules of a category")
    options = parser.parse_args()
    print(describe_machine("streamlit", "plotly"))
    counts = [int(word) for word in options.runs.split(",")]
    found = {}
    for count in counts:
        with tempfile.TemporaryDirectory(dir=REPOSITORY_ROOT.parent) as folder:
            workspace = grow_workspace(Path(folder) / "birds", count)
            found[count] = measure_version(REPOSITORY_ROOT, workspace, options.pages)
    print(f"{'page':10}  run    " + "".join(f"{count:>5} runs, s      kB" for count in counts))
    for page in options.pages:
        for run in ("cold", "new", "again"):
            figures = [found[count][page][run] for count in counts]
            cells = "".join(f"{time:13.3f}{size / 1000:8.1f}" for time, _, size in figures)
            print(f"{page:10}  {run:5}  {cells}   {figures[-1][0] / figures[0][0]:.2f} times")


if __name__ == "__main__":
    main()
