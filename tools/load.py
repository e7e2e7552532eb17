"""Many visitors at once, for minutes: each browses, uploads a photo of its own, and some train.

They speak the browser's own protocol over the loopback. Each makes a photo that no other has, and
checks with every visit of its page that it is shown this very photo, with the network's scores of
it, computed here beside the server. The code is 1 where any visitor met an error or
anything of another's, where memory grows after the warm-up, or the network was loaded twice.
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

# What the benchmarks know of the app's protocol and of its server is the same here.
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

MOST_SESSIONS, MOST_MINUTES = 25, 30.0
MOST_GROWTH = 3.0  # MiB a minute, of the line through what is in use after the warm-up
PAGES = ("", "category", "x_feature", "photo", "compare", "results", "quiz", "about", "training")
_MOMENTS = 12  # at which memory is looked at
_QUIET_SECONDS = 3.0
_PATIENCE = 300.0
_THINKING = 1.0  # seconds that a visitor looks at a page, on average
_SAME = 1e-3  # between scores: the app has computed them in another batch
_AS_IN_THE_CONTAINER = {"MALLOC_ARENA_MAX": "2"}
_WARM_UP = 450.0  # seconds after which the stores of what pages draw are full, as was seen


@dataclass(frozen=True)
class OwnPhoto:
    """What one visitor brings, and what the app must say of it.

    Attributes
    ----------
    name : str
        Of the file; no other visitor's.
    data : bytes
        The file.
    size : str
        As the page writes it.
    scores : NDArray of float32
        (C,), what the network says of it.
    """

    name: str
    data: bytes
    size: str
    scores: NDArray[np.float32]


@dataclass
class Stay:
    """What one visitor has done and met with."""

    visits: int = 0
    checks: int = 0
    uploads: int = 0
    trainings: int = 0
    seconds: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def make_photo(workspace: Workspace, number: int, turn: int) -> OwnPhoto:
    """Paint over one of the painted birds so that no two photos are alike, and score it."""
    photos = workspace.dataset.photos
    pixels = load_photo(photos[(37 * number + 11 * turn) % len(photos)])
    image = Image.fromarray(pixels).resize((200 + 8 * number, 240 + 5 * turn))
    pen = ImageDraw.Draw(image)
    for place in range(5):
        left = (31 * number + 41 * place + 17 * turn) % (image.width - 40)
        colour = ((53 * number + place) % 256, (97 * turn) % 256, (71 * place) % 256)
        pen.rectangle((left, 30 * place, left + 30, 30 * place + 24), fill=colour)
    file = io.BytesIO()
    image.save(file, "PNG")
    decoded = read_upload(file.getvalue())
    _, logits = workspace.networks.compute_scores(
        workspace.networks.prepare_image(decoded)[np.newaxis]
    )
    size = f"{image.width} × {image.height} pixels"
    return OwnPhoto(f"visitor-{number}-{turn}.png", file.getvalue(), size, logits[0])


def check_own(page: Page, own: OwnPhoto) -> list[str]:
    """Say what a page shows that is not this visitor's, or does not show that is."""
    faults = []
    named = {word for text in page.texts for word in text.split() if word.startswith("visitor-")}
    if named != {f"{own.name},"}:
        faults.append(f"{own.name} sees {sorted(named)}")
    if f"{own.name}, {own.size}" not in page.texts:
        faults.append(f"{own.name} does not see its size")
    shown = [
        np.asarray(_read_numbers(trace["x"]), np.float64)
        for figure in page.figures
        for trace in figure["data"]
        if trace.get("type") == "bar" and trace.get("orientation") == "h"
    ]
    wanted = np.sort(own.scores)
    if not any(_are_among(bars, wanted) for bars in shown if len(bars) > 1):
        best = [round(float(bars.max()), 3) for bars in shown if len(bars)]
        faults.append(
            f"{own.name} does not see its scores, at most {wanted[-1]:.3f}, but {best} "
            f"after {page.texts[-3:]}"
        )
    return faults


def _are_among(bars: NDArray[np.float64], scores: NDArray[np.float32]) -> bool:
    """Tell whether bars are of these scores, the highest among them."""
    distances = np.abs(bars[:, None] - scores[None]).min(axis=1)
    return bool(distances.max() < _SAME and abs(bars.max() - scores.max()) < _SAME)


def _read_numbers(values: object) -> Sequence[float]:
    """Read numbers of a figure, which Plotly may write as bytes."""
    if isinstance(values, dict):
        import base64

        return np.frombuffer(base64.b64decode(values["bdata"]), np.dtype(values["dtype"])).tolist()
    return [float(value) for value in values]  # type: ignore[attr-defined]


class Watch:
    """Looks at the server's memory in moments when no visitor asks for anything.

    In between, memory goes up and down with what is being computed, by more than what could be
    learnt of it in minutes. So does what malloc keeps for the next time: the server is asked to
    give that back, and what it holds then is what is in use.

    Parameters
    ----------
    process : int
        Of the server.
    sessions : int
        Visitors who will come to each of these moments.
    """

    def __init__(self, process: int, sessions: int) -> None:
        self.process = process
        self.held = list[float]()
        self.used = list[tuple[float, float]]()
        self.start = time.monotonic()
        self._meeting = threading.Barrier(sessions, action=self._look, timeout=_PATIENCE)

    def wait_until_all_are_quiet(self) -> None:
        """Wait for the other visitors, and until the memory has been looked at."""
        self._meeting.wait()

    def _look(self) -> None:
        time.sleep(_QUIET_SECONDS)
        self.held.append(read_memory(self.process))
        os.kill(self.process, signal.SIGUSR1)
        time.sleep(_QUIET_SECONDS)
        self.used.append((time.monotonic() - self.start, read_memory(self.process)))

    def fit_growth(self) -> float | None:
        """Return the slope of what is in use over time, in MiB a minute, after the warm-up.

        None after a short run, which cannot tell.
        """
        warm = np.array([look for look in self.used if look[0] > _WARM_UP])
        if len(warm) < 3:
            return None
        slope: float = np.polyfit(warm[:, 0], warm[:, 1], 1)[0]
        return 60 * slope


class Visitor:
    """One visitor, with a session, a photo and a will of its own."""

    def __init__(self, url: str, workspace: Workspace, number: int, *, trains: bool) -> None:
        self.workspace, self.number, self.trains = workspace, number, trains
        self.random = random.Random(number)
        self.session, self.done = Session(url), Stay()
        self.own: OwnPhoto | None = None
        self.url = url

    def stay(self, moments: Sequence[float], watch: Watch) -> Stay:
        """Do one thing after the other between the moments at which all are quiet, to the last.

        A fault does not end it.
        """
        with ExitStack() as stack:
            stack.enter_context(self.session)
            for moment in moments:
                while time.monotonic() < watch.start + moment:
                    self._act_and_think(stack)
                watch.wait_until_all_are_quiet()
        return self.done

    def _act_and_think(self, stack: ExitStack) -> None:
        start = time.perf_counter()
        try:
            self._act()
        except Exception as error:
            self.done.faults.append(f"{type(error).__name__}: {error}")
            self.session = stack.enter_context(Session(self.url))
            self.own = None
        self.done.seconds.append(time.perf_counter() - start)
        time.sleep(self.random.expovariate(1 / _THINKING))

    def _act(self) -> None:
        chance = self.random.random()
        if self.own is None or chance < 0.15:
            self._upload()
        elif chance < 0.45:
            self._take(self.session.visit("your_photo"), is_own=True)
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
        self._take(self.session.visit(page, urlencode(query)))

    def _take(self, page: Page, *, is_own: bool = False) -> None:
        """Note what a page shows, and fetch its pictures."""
        self.done.visits += 1
        self.done.faults += page.errors
        if is_own and self.own is not None:
            self.done.checks += 1
            self.done.faults += check_own(page, self.own)
        elif any("visitor-" in text for text in page.texts):
            self.done.faults.append("a page that is nobody's shows a visitor's photo")
        self.session.fetch_pictures()

    def _upload(self) -> None:
        page = self.session.visit("your_photo")
        if self.own is not None:
            self._take(page, is_own=True)
            page = self.session.press(page.find_widget("Button", "Forget this photo"))
        own = make_photo(self.workspace, self.number, self.done.uploads)
        page = self.session.upload(page.find_widget("FileUploader"), own.name, own.data)
        self.own = own
        self.done.uploads += 1
        self._take(page, is_own=True)

    def _train(self) -> None:
        """Start a short training from the sidebar, of a seed that only this visitor uses."""
        session = self.session
        session.visit("about")
        page = session.set_state(
            WidgetState(id=session.page.blocks["Train a module"], bool_value=True)
        )
        for label, value in (("Seed", 1000 * self.number + self.done.trainings), ("Epochs", 3)):
            field_id = page.find_widget("NumberInput", label).id
            page = session.set_state(WidgetState(id=field_id, double_value=float(value)))
        button = next(
            widget
            for widget in page.widgets.values()
            if getattr(widget, "label", "") in ("Train", "Add to the queue")
        )
        self._take(session.press(button))
        self.done.trainings += 1


def report(stays: Sequence[Stay], watch: Watch, events: Counter[str]) -> list[str]:
    """Print what the visitors did and met with; return what is wrong."""
    faults = Counter(fault for stay in stays for fault in stay.faults)
    seconds = sorted(second for stay in stays for second in stay.seconds)
    done = {
        name: sum(getattr(stay, name) for stay in stays)
        for name in ("visits", "uploads", "checks", "trainings")
    }
    print(", ".join(f"{count} {name}" for name, count in done.items()))
    print(
        f"An act took {statistics.median(seconds):.2f} s in the middle, "
        f"{seconds[int(0.95 * (len(seconds) - 1))]:.2f} s at 95 %, {seconds[-1]:.2f} s at most"
    )
    print("Memory held (MiB) when all were quiet: ", end="")
    print(", ".join(f"{size:.0f}" for size in watch.held))
    print("Of it in use, after so many seconds: ", end="")
    print(", ".join(f"{size:.0f} ({at:.0f})" for at, size in watch.used))
    growth = watch.fit_growth()
    rise = "cannot be told" if growth is None else f"is {growth:+.2f} MiB a minute"
    print(f"The growth of what is in use, once all is warm, {rise}")
    print(f"The network was loaded {events['network loaded']} time(s)")
    wrong = [f"{count} × {fault}" for fault, count in faults.most_common()]
    if growth is not None and growth > MOST_GROWTH:
        wrong.append("memory grows")
    if events["network loaded"] != 1:
        wrong.append("the network was not loaded once")
    if not all(done[name] for name in ("visits", "uploads", "checks")):
        wrong.append("not everything was done")
    return wrong


def run(sessions: int, minutes: float, trainers: int, folder: Path) -> list[str]:
    """Let the visitors stay, and return what is wrong."""
    os.environ[STATE_VARIABLE] = str(folder / "state")
    workspace = Workspace(copy_demo(folder))
    with serve_app(folder, workspace.path, _AS_IN_THE_CONTAINER) as (url, server):
        visitors = [
            Visitor(url, workspace, number, trains=number < trainers) for number in range(sessions)
        ]
        watch = Watch(server.pid, sessions)
        moments = np.linspace(0, 60 * minutes, _MOMENTS + 1)[1:].tolist()
        try:
            with ThreadPoolExecutor(sessions) as pool:
                stays = list(pool.map(lambda visitor: visitor.stay(moments, watch), visitors))
        finally:
            jobs = list_jobs()
            for job in jobs:
                cancel(job)
    print(Counter(str(job.state) for job in jobs))
    wrong = report(stays, watch, count_events(folder / "events.jsonl"))
    if "Traceback" in (folder / "log.txt").read_text():
        wrong.append("the server's log holds a traceback")
        print((folder / "log.txt").read_text()[-3000:])
    return wrong


def main() -> int:
    """Run the load and return the code to end with."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=25, help=f"at most {MOST_SESSIONS}")
    parser.add_argument("--minutes", type=float, default=20, help=f"at most {MOST_MINUTES:.0f}")
    parser.add_argument("--trainers", type=int, default=3, help="how many of them also train")
    options = parser.parse_args()
    sessions = min(options.sessions, MOST_SESSIONS)
    minutes = min(options.minutes, MOST_MINUTES)
    print(describe_machine("streamlit", "torch", "websockets"))
    print(f"{sessions} visitors for {minutes:g} minutes, from {time.strftime('%H:%M:%S')}")
    with tempfile.TemporaryDirectory() as name:
        wrong = run(sessions, minutes, options.trainers, Path(name))
    for line in wrong:
        print(f"FAILED {line}")
    print(f"{len(wrong)} failures")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
