"""Measures response times and memory with ten concurrent sessions, without and with a training.

The sessions use the browser's protocol over the loopback interface, each in a thread, for a limited
number of steps; see docs/performance.md.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import urlencode

from app_client import Session
from common import copy_demo, describe_machine, read_memory, serve_app

from explorer.config import STATE_VARIABLE
from explorer.data.cub import format_category
from explorer.jobs.control import cancel, submit
from explorer.jobs.store import load_job
from explorer.jobs.types import Job, JobRequest
from explorer.methods.srae import SraeSettings
from explorer.training.modules.runs import name_run
from explorer.training.modules.settings import TrainingSettings
from explorer.workspace.workspace import Workspace

MAX_SESSIONS, MAX_STEPS = 10, 60
PAGES = ("", "category", "x_feature", "photo", "results", "about")
_TIMEOUT_SECONDS = 180.0


@dataclass(frozen=True)
class Load:
    """Settings of the load on a server."""

    url: str
    process: int
    workspace: Workspace
    sessions: int
    steps: int


@dataclass
class Visit:
    """Measurements of a session."""

    seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    socket_bytes: int = 0
    picture_bytes: int = 0


def browse(url: str, steps: Sequence[tuple[str, str]]) -> Visit:
    """Open pages with their pictures one after another, in a new session."""
    visit = Visit()
    with Session(url) as session:
        for page, query in steps:
            start = time.perf_counter()
            visit.errors += session.visit(page, query).errors
            session.fetch_pictures()
            visit.seconds.append(time.perf_counter() - start)
        visit.socket_bytes, visit.picture_bytes = session.socket_bytes, session.picture_bytes
    return visit


def plan_steps(workspace: Workspace, session: int, count: int) -> list[tuple[str, str]]:
    """Plan the steps of a session: all pages for one category after another."""
    categories = workspace.dataset.categories
    steps = []
    for step in range(count):
        page = PAGES[(step + session) % len(PAGES)]
        category = format_category(categories[(session + step // len(PAGES)) % len(categories)])
        query = {"category": category}
        if page in ("x_feature", "photo"):
            query["feature"] = f"x-feature {1 + (step + session) % 5}"
        steps.append((page, urlencode(query)))
    return steps


def run_sessions(load: Load, sessions: int) -> list[Visit]:
    """Run concurrent sessions, and return the measurements of each."""
    plans = [plan_steps(load.workspace, session, load.steps) for session in range(sessions)]
    with ThreadPoolExecutor(sessions) as pool:
        return list(pool.map(lambda steps: browse(load.url, steps), plans))


def start_training(workspace: Workspace, device: str) -> Job:
    """Start a training that is longer than the sessions, in a background process as in the app."""
    module, training = SraeSettings(), TrainingSettings(epochs=100_000, seed=1)
    request = JobRequest(
        str(workspace.path),
        workspace.dataset.categories[:1],
        name_run(module, training),
        module.describe(),
        asdict(training),
        device=device,
        device_key=device,
    )
    job = submit(request)
    deadline = time.monotonic() + _TIMEOUT_SECONDS
    while load_job(job.folder).status.total == 0 and time.monotonic() < deadline:
        time.sleep(0.2)
    return load_job(job.folder)


def report(title: str, visits: Sequence[Visit], wall: float) -> None:
    """Print the combined measurements of all sessions."""
    seconds = sorted(second for visit in visits for second in visit.seconds)
    errors = Counter(error for visit in visits for error in visit.errors)
    percentile_95 = seconds[int(0.95 * (len(seconds) - 1))]
    sent = sum(visit.socket_bytes + visit.picture_bytes for visit in visits)
    print(
        f"{title:34}{len(seconds):6}{statistics.median(seconds):10.2f}{percentile_95:10.2f}"
        f"{seconds[-1]:10.2f}{len(seconds) / wall:10.2f}{sent / 1e6:10.1f}{errors.total():8}"
    )
    for error, count in errors.items():
        print(f"  {count} × {error}")


def count_events(file: Path) -> Counter[str]:
    """Count the events recorded by the server, by kind."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return Counter(json.loads(line)[1] for line in lines)


def main() -> None:
    """Start the server, and measure the sessions without and with a training."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=10, help=f"at most {MAX_SESSIONS}")
    parser.add_argument(
        "--steps", type=int, default=12, help=f"steps per session, at most {MAX_STEPS}"
    )
    parser.add_argument("--device", default="cpu", help="device of the training: cpu, cuda:0")
    options = parser.parse_args()
    sessions, steps = min(options.sessions, MAX_SESSIONS), min(options.steps, MAX_STEPS)
    print(describe_machine("streamlit", "torch", "websockets"))
    print(f"Command: {' '.join(sys.argv)}; {sessions} sessions of {steps} steps")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ[STATE_VARIABLE] = str(folder / "state")
        workspace = Workspace(copy_demo(folder))
        with serve_app(folder, workspace.path) as (url, server):
            measure_load(Load(url, server.pid, workspace, sessions, steps), options.device)
        counted = count_events(folder / "events.jsonl")
    print(", ".join(f"{kind}: {count}" for kind, count in counted.items() if kind != "read"))


def measure_load(plan: Load, device: str) -> None:
    """Print times and memory for one session, all sessions, and all sessions during a training."""
    memory = {"at the start": read_memory(plan.process)}
    columns = ("median s", "95 %", "longest", "steps/s", "MB sent", "errors")
    print(f"\n{'':34}{'steps':>6}" + "".join(f"{c:>{8 if c == 'errors' else 10}}" for c in columns))

    def run(title: str, count: int) -> None:
        start = time.perf_counter()
        visits = run_sessions(plan, count)
        report(title, visits, time.perf_counter() - start)
        memory[f"after {title}"] = read_memory(plan.process)

    run("all sessions, nothing cached", plan.sessions)
    run("one session, everything cached", 1)
    run("all sessions, everything cached", plan.sessions)
    job = start_training(plan.workspace, device)
    try:
        run("all sessions, during a training", plan.sessions)
        after = load_job(job.folder)
    finally:
        cancel(load_job(job.folder))
    print(
        f"\nTraining: process {job.status.pid} (server: {plan.process}), {after.state}, "
        f"steps {job.status.done} to {after.status.done} during the sessions."
    )
    for when, size in memory.items():
        print(f"Memory {when}: {size:.0f} MiB")


if __name__ == "__main__":
    main()
