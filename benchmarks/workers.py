"""Throughput and memory of `serve` against the number of processes of the app.

    python benchmarks/workers.py
    python benchmarks/workers.py --workers 1,2,4 --sessions 10 --steps 12

Ten visitors without pauses go through pages of the demo, several times to warm the caches of every
process, and once more, measured. Memory is the processes' own: pages that they share, such as
mapped files and the libraries, count for each in part (PSS). nginx must be installed.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from app_load import MAX_SESSIONS, MAX_STEPS, Load, report, run_sessions
from common import copy_demo, describe_machine, find_port, wait_for_app

from explorer.config import REPOSITORY_ROOT, STATE_VARIABLE
from explorer.workspace.workspace import Workspace

_WARM_UPS = 4  # a visitor may meet another process each time


def list_descendants(process: int) -> list[int]:
    """Return the ids of all processes below one, of Linux's ``/proc``."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [one for child in map(int, children) for one in (child, *list_descendants(child))]


def read_shared_memory(process: int) -> float:
    """Return the memory of a process in MiB, with its part of what it shares (PSS)."""
    for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise SystemExit("The system does not tell how much memory processes share.")


def measure(workers: int, sessions: int, steps: int) -> None:
    """Serve a copy of the demo with some processes, and print throughput and memory."""
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), find_port()
        os.environ[STATE_VARIABLE] = str(folder / "state")
        workspace = Workspace(copy_demo(folder))
        command = [sys.executable, "-m", "explorer", "serve", str(workspace.path)]
        command += ["--workers", str(workers), "--port", str(port)]
        environment = {**os.environ, "MALLOC_ARENA_MAX": "2"}
        with (
            (folder / "log.txt").open("wb") as log,
            subprocess.Popen(
                command, cwd=REPOSITORY_ROOT, stdout=log, stderr=log, env=environment
            ) as server,
        ):
            try:
                url = f"http://localhost:{port}"
                wait_for_app(url, server, folder / "log.txt")
                plan = Load(url, server.pid, workspace, sessions, steps)
                for _ in range(_WARM_UPS):
                    run_sessions(plan, sessions)
                start = time.perf_counter()
                visits = run_sessions(plan, sessions)
                report(f"{workers} process(es)", visits, time.perf_counter() - start)
                sizes = sorted(map(read_shared_memory, list_descendants(server.pid)), reverse=True)
                print("  MiB each: " + ", ".join(f"{size:.0f}" for size in sizes if size >= 50))
            finally:
                server.send_signal(signal.SIGTERM)
                server.wait(30)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workers", default="1,2,3", help="numbers of processes")
    parser.add_argument("--sessions", type=int, default=10)
    parser.add_argument("--steps", type=int, default=12)
    options = parser.parse_args()
    print(describe_machine("streamlit", "torch", "websockets"))
    for workers in map(int, options.workers.split(",")):
        measure(workers, min(options.sessions, MAX_SESSIONS), min(options.steps, MAX_STEPS))


if __name__ == "__main__":
    main()
