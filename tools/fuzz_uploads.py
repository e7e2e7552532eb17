"""Spoils real pictures in thousands of ways and has the app's code read each of them.

Reading goes on in a worker process, which says what it is about to do: where a decoder crashes it,
hangs or goes past its bounds, that case is known and a new worker takes the next one. The code is 1
where any case ends otherwise than with a photo or an `UploadError`.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, Queue
from threading import Thread

import numpy as np
from picture_mutations import MUTATIONS, make_files, spoil

from explorer.config import REPOSITORY_ROOT
from explorer.data.uploads.decoding import (
    LONGEST_KEPT,
    OWN_LIMITS,
    SHORTEST_SIDE,
    UploadError,
    read_upload,
)
from explorer.data.uploads.process import bound_process

MOST_SECONDS = 20.0
MOST_MEGABYTES = 900.0
PHOTO = "a photo"
PROGRAM = "import sys, fuzz_uploads as f; f.become_worker(*map(int, sys.argv[1:]))"


@dataclass
class Tally:
    """What became of the cases so far.

    Attributes
    ----------
    outcomes : dict of str to Counter
        By mutation: how often each outcome came.
    failures : list of str
        A line for each case that ended as none may.
    longest, most : float
        Seconds and MiB of the worst case.
    """

    outcomes: dict[str, Counter[str]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    longest: float = 0.0
    most: float = 0.0

    def note(self, case: int, said: dict[str, object]) -> None:
        """Take down how a case ended."""
        kind, name = str(said["mutation"]), str(said["file"])
        seconds, grown = float(str(said["seconds"])), float(str(said["grown"]))
        outcome, fault = str(said["outcome"]), str(said["fault"])
        self.outcomes.setdefault(kind, Counter())[outcome] += 1
        self.longest, self.most = max(self.longest, seconds), max(self.most, grown)
        if seconds > MOST_SECONDS:
            fault = fault or f"took {seconds:.1f} s"
        if grown > MOST_MEGABYTES:
            fault = fault or f"took {grown:.0f} MiB"
        if fault:
            self.failures.append(f"case {case}, {name}, {kind}: {fault}")


def read_case(data: bytes) -> tuple[str, str]:
    """Read a file as the app does; return the outcome and what is wrong with it."""
    try:
        pixels = read_upload(data)
    except UploadError as error:
        text = str(error)
        is_sentence = text and "\n" not in text and len(text) < 250
        return _shorten(text), "" if is_sentence else f"no sentence: {text!r}"
    except Exception as error:
        return type(error).__name__, f"{type(error).__name__}: {error}"
    sides = pixels.shape[:2]
    is_sound = (
        pixels.dtype == np.uint8
        and pixels.ndim == 3
        and pixels.shape[2] == 3
        and min(sides) >= SHORTEST_SIDE
        and max(sides) <= LONGEST_KEPT
    )
    return PHOTO, "" if is_sound else f"an array {pixels.dtype} {pixels.shape}"


def _shorten(text: str) -> str:
    """Return what reasons of one kind have in common: their first words, without numbers."""
    return " ".join(re.sub(r"\d+", "N", text).split()[:6])


def read_peak() -> float:
    """Return the most memory that this process has held since `forget_peak`, in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def forget_peak() -> None:
    """Begin anew with the most memory held."""
    Path("/proc/self/clear_refs").write_text("5")


def work(seed: int, first: int, last: int) -> None:
    """Read the cases from `first` on, and say on the standard output how each ends."""
    files = make_files()
    warnings.simplefilter("ignore")  # of odd metadata, in passing
    is_linux = sys.platform == "linux"
    for case in range(first, last):
        name, mutation, data = spoil(files, seed, case)
        said: dict[str, object] = {"case": case, "file": name, "mutation": mutation}
        print(json.dumps(said), flush=True)
        if is_linux:
            forget_peak()
        before = read_peak() if is_linux else 0.0
        start = time.perf_counter()
        said["outcome"], said["fault"] = read_case(data)
        said["seconds"] = time.perf_counter() - start
        said["grown"] = read_peak() - before if is_linux else 0.0
        print(json.dumps(said), flush=True)


@contextmanager
def start_worker(seed: int, first: int, last: int) -> Iterator[subprocess.Popen[str]]:
    """Start a worker with a bound on its memory, and see to its end."""
    folder = str(Path(__file__).parent)
    path = os.pathsep.join([folder, str(REPOSITORY_ROOT)])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(seed), str(first), str(last)],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def become_worker(seed: int, first: int, last: int) -> None:
    """Work within the bounds of the app's own reading process, its time apart."""
    bound_process(OWN_LIMITS, with_time=False)
    work(seed, first, last)


def fuzz(seed: int, first: int, count: int) -> Tally:
    """Run the cases from `first` on, with as many workers one after the other as it takes."""
    tally, case, last = Tally(), first, first + count
    while case < last:
        with start_worker(seed, case, last) as process:
            case = _follow(process, tally, case, last)
    return tally


def _follow(process: "subprocess.Popen[str]", tally: Tally, case: int, last: int) -> int:
    """Take down what a worker says until its end; return the case that is next."""
    lines: Queue[str | None] = Queue()

    def pump() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.put(line)
        lines.put(None)

    Thread(target=pump, daemon=True).start()
    current: dict[str, object] = {"file": "?", "mutation": "?"}
    while case < last:
        ending = ""
        try:
            # A worker's first words come after its imports.
            line = lines.get(timeout=2 * MOST_SECONDS)
        except Empty:
            line, ending = None, "hangs"
        if line is None:
            if "case" not in current:
                raise SystemExit("The worker ended before it began; see what it says above.")
            ending = ending or f"ended its process with {process.wait(10)}"
            tally.note(
                case, {**current, "outcome": ending, "fault": ending, "seconds": 0, "grown": 0}
            )
            return case + 1
        current = json.loads(line)
        if "outcome" in current:
            tally.note(case, current)
            case += 1
    return case


def report(tally: Tally, seconds: float) -> None:
    """Print what came of the cases."""
    total = Counter[str]()
    for mutation in MUTATIONS:
        counted = tally.outcomes.get(mutation, Counter())
        total += counted
        read = counted[PHOTO]
        refused = counted.total() - read
        print(f"{mutation:24}{counted.total():8} cases,{read:7} read,{refused:7} refused")
    print("\nWhat was told:")
    for outcome, count in total.most_common():
        print(f"{count:8}  {outcome}{'' if outcome == PHOTO else ' …'}")
    print(
        f"\n{total.total()} cases in {seconds:.0f} s; the longest took {tally.longest:.2f} s, the "
        f"largest {tally.most:.0f} MiB; {len(tally.failures)} failures"
    )
    for line in tally.failures:
        print(f"FAILED {line}")


def main() -> int:
    """Fuzz, report, and return the code to end with."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="write the first case to this file, and end")
    options = parser.parse_args()
    if options.keep:
        options.keep.write_bytes(spoil(make_files(), options.seed, options.first)[2])
        return 0
    start = time.perf_counter()
    tally = fuzz(options.seed, options.first, options.cases)
    report(tally, time.perf_counter() - start)
    return 1 if tally.failures else 0


if __name__ == "__main__":
    sys.exit(main())
