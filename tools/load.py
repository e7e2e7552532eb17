"""Load test: many visitors browse and upload photos at the same time, and some train modules.

Visitors are simulated with the browser's protocol over the loopback interface. Each uploads unique
photos, and checks that its page shows them with the correct scores, which are computed here
independently of the server. The exit status is 1 if a visitor gets an error or sees data of another
visitor, if memory grows after the warm-up, or if the network is loaded more than once.
"""

import argparse
import io
import os
import random
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

# The client and the server of the benchmarks are used here as well.
sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))
from app_client import Page, Session
from app_load import count_events
from common import copy_demo, describe_machine, read_memory, serve_app
from streamlit.proto.WidgetStates_pb2 import WidgetState

from explorer.config import STATE_VARIABLE
from explorer.data.cub import format_category
from explorer.data.photo import load_photo
from explorer.data.uploads.decoding import read_upload
from explorer.jobs.control import cancel
from explorer.jobs.store import list_jobs
from explorer.workspace.workspace import Workspace

MAX_SESSIONS, MAX_MINUTES = 25, 30.0
MAX_GROWTH = 3.0  # MiB per minute of memory in use, after the warm-up
PAGES = ("", "category", "x_feature", "photo", "compare", "results", "quiz", "about", "training")
_PAUSES = 12  # in which memory is measured
_QUIET_SECONDS = 3.0
_TIMEOUT_SECONDS = 300.0
_SCORE_TOLERANCE = 1e-3  # the app computes scores in other batches
_CONTAINER_ENVIRONMENT = {"MALLOC_ARENA_MAX": "2"}
_WARM_UP_SECONDS = 450.0  # until the caches of rendered pages are full, as observed


@dataclass(frozen=True)
class OwnPhoto:
    """A photo uploaded by a visitor, and what the app must show for it.

    Attributes
    ----------
    name : str
        Name of the file, unique to the visitor.
    data : bytes
        Contents of the file.
    size : str
        Size in pixels, in the format of the page.
    scores : NDArray of float32
        (C,), scores of the network.
    """

    name: str
    data: bytes
    size: str
    scores: NDArray[np.float32]


@dataclass
class Activity:
    """What a visitor did, and the problems found."""

    visits: int = 0
    checks: int = 0
    uploads: int = 0
    trainings: int = 0
    seconds: list[float] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def make_photo(workspace: Workspace, number: int, turn: int) -> OwnPhoto:
    """Create a unique photo from a painted bird, and compute its scores."""
    photos = workspace.dataset.photos
    pixels = load_photo(photos[(37 * number + 11 * turn) % len(photos)])
    image = Image.fromarray(pixels).resize((200 + 8 * number, 240 + 5 * turn))
    pen = ImageDraw.Draw(image)
    for row in range(5):
        left = (31 * number + 41 * row + 17 * turn) % (image.width - 40)
        colour = ((53 * number + row) % 256, (97 * turn) % 256, (71 * row) % 256)
        pen.rectangle((left, 30 * row, left + 30, 30 * row + 24), fill=colour)
    file = io.BytesIO()
    image.save(file, "PNG")
    decoded = read_upload(file.getvalue()).pixels
    _, logits = workspace.networks.compute_scores(
        workspace.networks.prepare_image(decoded)[np.newaxis]
    )
    size = f"{image.width} × {image.height} pixels"
    return OwnPhoto(f"visitor-{number}-{turn}.png", file.getvalue(), size, logits[0])


def check_own_photo(page: Page, own: OwnPhoto) -> list[str]:
    """Return problems if a page does not show the visitor's own photo, or shows another's."""
    problems = []
    named = {word for text in page.texts for word in text.split() if word.startswith("visitor-")}
    if named != {f"{own.name},"}:
        problems.append(f"{own.name} sees {sorted(named)}")
    if f"{own.name}, {own.size}" not in page.texts:
        problems.append(f"{own.name} does not see its size")
    shown = [
        np.asarray(_read_numbers(trace["x"]), np.float64)
        for figure in page.figures
        for trace in figure["data"]
        if trace.get("type") == "bar" and trace.get("orientation") == "h"
    ]
    wanted = np.sort(own.scores)
    if not any(_match_scores(bars, wanted) for bars in shown if len(bars) > 1):
        best = [round(float(bars.max()), 3) for bars in shown if len(bars)]
        problems.append(
            f"{own.name} does not see its scores, at most {wanted[-1]:.3f}, but {best} "
            f"after {page.texts[-3:]}"
        )
    return problems


def _match_scores(bars: NDArray[np.float64], scores: NDArray[np.float32]) -> bool:
    """Return whether all bars are among these scores, including the highest."""
    distances = np.abs(bars[:, None] - scores[None]).min(axis=1)
    highest_difference = abs(bars.max() - scores.max())
    return bool(max(distances.max(), highest_difference) < _SCORE_TOLERANCE)


def _read_numbers(values: object) -> Sequence[float]:
    """Read the numbers of a figure, which Plotly may encode as bytes."""
    if isinstance(values, dict):
        import base64

        return np.frombuffer(base64.b64decode(values["bdata"]), np.dtype(values["dtype"])).tolist()
    return [float(value) for value in values]  # type: ignore[attr-defined]


class MemoryMonitor:
    """Measures the server's memory during pauses in which no visitor sends a request.

    Memory fluctuates during computations, by more than the growth that is to be measured. It also
    includes free memory that malloc keeps for later. So in each pause, the server is asked to
    release free memory, and the rest is the memory in use.

    Parameters
    ----------
    process : int
        Process id of the server.
    sessions : int
        Number of visitors, who all take part in each pause.
    """

    def __init__(self, process: int, sessions: int) -> None:
        self.process = process
        self.held = list[float]()
        self.used = list[tuple[float, float]]()
        self.start = time.monotonic()
        self._barrier = threading.Barrier(sessions, action=self._measure, timeout=_TIMEOUT_SECONDS)

    def pause(self) -> None:
        """Wait for the other visitors, and until the memory has been measured."""
        self._barrier.wait()

    def _measure(self) -> None:
        time.sleep(_QUIET_SECONDS)
        self.held.append(read_memory(self.process))
        os.kill(self.process, signal.SIGUSR1)
        time.sleep(_QUIET_SECONDS)
        self.used.append((time.monotonic() - self.start, read_memory(self.process)))

    def fit_growth(self) -> float | None:
        """Return the growth of memory in use after the warm-up, in MiB per minute.

        None if the run was too short to measure it.
        """
        points = np.array([point for point in self.used if point[0] > _WARM_UP_SECONDS])
        if len(points) < 3:
            return None
        slope: float = np.polyfit(points[:, 0], points[:, 1], 1)[0]
        return 60 * slope


@dataclass(frozen=True)
class Pace:
    """For how many seconds a visitor looks at a page, on average, and when times begin to count."""

    look: float
    after: float


class Visitor:
    """A simulated visitor, with a session and a random sequence of actions."""

    def __init__(
        self, url: str, workspace: Workspace, number: int, *, trains: bool, pace: Pace
    ) -> None:
        self.workspace, self.number = workspace, number
        self.trains, self.pace = trains, pace
        self.random = random.Random(number)
        self.session, self.activity = Session(url), Activity()
        self.own: OwnPhoto | None = None
        self.url = url

    def run(self, pauses: Sequence[float], monitor: MemoryMonitor) -> Activity:
        """Perform random actions between `pauses`, in seconds since the start, until the last one.

        After an error, the visitor continues with a new session.
        """
        with ExitStack() as stack:
            stack.enter_context(self.session)
            for pause in pauses:
                while time.monotonic() < monitor.start + pause:
                    self._act_and_think(stack, monitor.start + self.pace.after)
                monitor.pause()
        return self.activity

    def _act_and_think(self, stack: ExitStack, counted_from: float) -> None:
        counts, start = time.monotonic() >= counted_from, time.perf_counter()
        try:
            self._act()
        except Exception as error:
            self.activity.problems.append(f"{type(error).__name__}: {error}")
            self.session = stack.enter_context(Session(self.url))
            self.own = None
        if counts:
            self.activity.seconds.append(time.perf_counter() - start)
        time.sleep(self.random.expovariate(1 / self.pace.look))

    def _act(self) -> None:
        chance = self.random.random()
        if self.own is None or chance < 0.15:
            self._upload()
        elif chance < 0.45:
            self._check(self.session.visit("your_photo"), is_own=True)
        elif self.trains and chance < 0.5:
            self._train()
        else:
            self._browse()

    def _browse(self) -> None:
        categories = self.workspace.dataset.categories
        query = {"category": format_category(self.random.choice(categories))}
        page = self.random.choice(PAGES)
        if page in ("x_feature", "photo"):
            query["feature"] = f"x-feature {self.random.randint(1, 5)}"
        self._check(self.session.visit(page, urlencode(query)))

    def _check(self, page: Page, *, is_own: bool = False) -> None:
        """Check what a page shows, and fetch its pictures."""
        self.activity.visits += 1
        self.activity.problems += page.errors
        if is_own and self.own is not None:
            self.activity.checks += 1
            self.activity.problems += check_own_photo(page, self.own)
        elif any("visitor-" in text for text in page.texts):
            self.activity.problems.append("another page shows an uploaded photo")
        self.session.fetch_pictures()

    def _upload(self) -> None:
        page = self.session.visit("your_photo")
        if self.own is not None:
            self._check(page, is_own=True)
            page = self.session.press(page.find_widget("Button", "Forget this photo"))
        own = make_photo(self.workspace, self.number, self.activity.uploads)
        page = self.session.upload(page.find_widget("FileUploader"), own.name, own.data)
        self.own = own
        self.activity.uploads += 1
        self._check(page, is_own=True)

    def _train(self) -> None:
        """Start a short training from the form, with a unique seed."""
        session = self.session
        page = session.visit("training")
        for label, value in (("Seed", 1000 * self.number + self.activity.trainings), ("Epochs", 3)):
            field_id = page.find_widget("NumberInput", label).id
            page = session.set_state(WidgetState(id=field_id, double_value=float(value)))
        button = next(
            widget for widget in page.widgets.values() if widget.id.endswith("training-train")
        )
        self._check(session.press(button))
        self.activity.trainings += 1


def report(
    activities: Sequence[Activity], monitor: MemoryMonitor, events: Counter[str]
) -> list[str]:
    """Print what the visitors did; return the failures."""
    problems = Counter(problem for activity in activities for problem in activity.problems)
    seconds = sorted(second for activity in activities for second in activity.seconds)
    done = {
        name: sum(getattr(activity, name) for activity in activities)
        for name in ("visits", "uploads", "checks", "trainings")
    }
    print(", ".join(f"{count} {name}" for name, count in done.items()))
    print(
        f"Time per action: median {statistics.median(seconds):.2f} s, 95th percentile "
        f"{seconds[int(0.95 * (len(seconds) - 1))]:.2f} s, maximum {seconds[-1]:.2f} s"
    )
    print("Memory in each pause (MiB): ", end="")
    print(", ".join(f"{size:.0f}" for size in monitor.held))
    print("Of this, memory in use (and seconds since the start): ", end="")
    print(", ".join(f"{size:.0f} ({at:.0f})" for at, size in monitor.used))
    growth = monitor.fit_growth()
    rate = "unknown (run too short)" if growth is None else f"{growth:+.2f} MiB per minute"
    print(f"Growth of memory in use after the warm-up: {rate}")
    print(f"The network was loaded {events['network loaded']} time(s)")
    failures = [f"{count} × {problem}" for problem, count in problems.most_common()]
    if growth is not None and growth > MAX_GROWTH:
        failures.append("memory grows")
    if events["network loaded"] != 1:
        failures.append("the network was not loaded exactly once")
    if not all(done[name] for name in ("visits", "uploads", "checks")):
        failures.append("not all kinds of actions were performed")
    return failures


def run(sessions: int, minutes: float, trainers: int, pace: Pace, folder: Path) -> list[str]:
    """Run the visitors, and return the failures."""
    os.environ[STATE_VARIABLE] = str(folder / "state")
    workspace = Workspace(copy_demo(folder))
    with serve_app(folder, workspace.path, _CONTAINER_ENVIRONMENT) as (url, server):
        visitors = [
            Visitor(url, workspace, number, trains=number < trainers, pace=pace)
            for number in range(sessions)
        ]
        monitor = MemoryMonitor(server.pid, sessions)
        pauses = np.linspace(0, 60 * minutes, _PAUSES + 1)[1:].tolist()
        try:
            with ThreadPoolExecutor(sessions) as pool:
                activities = list(pool.map(lambda visitor: visitor.run(pauses, monitor), visitors))
        finally:
            jobs = list_jobs()
            for job in jobs:
                cancel(job)
    print(Counter(str(job.state) for job in jobs))
    failures = report(activities, monitor, count_events(folder / "events.jsonl"))
    if "Traceback" in (folder / "log.txt").read_text():
        failures.append("the server's log contains a traceback")
        print((folder / "log.txt").read_text()[-3000:])
    return failures


def main() -> int:
    """Run the load test and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=25, help=f"at most {MAX_SESSIONS}")
    parser.add_argument("--minutes", type=float, default=20, help=f"at most {MAX_MINUTES:.0f}")
    parser.add_argument("--trainers", type=int, default=3, help="number of visitors who also train")
    parser.add_argument(
        "--look", type=float, default=1, help="mean seconds for which a visitor looks at a page"
    )
    parser.add_argument(
        "--after", type=float, default=0, help="seconds whose actions do not count in the times"
    )
    options = parser.parse_args()
    sessions = min(options.sessions, MAX_SESSIONS)
    minutes = min(options.minutes, MAX_MINUTES)
    print(describe_machine("streamlit", "torch", "websockets"))
    began = time.strftime("%H:%M:%S")
    print(f"{sessions} visitors for {minutes:g} minutes, {options.look:g} s a page, from {began}")
    with tempfile.TemporaryDirectory() as name:
        failures = run(
            sessions, minutes, options.trainers, Pace(options.look, options.after), Path(name)
        )
    for line in failures:
        print(f"FAILED {line}")
    print(f"{len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
