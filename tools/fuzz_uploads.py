"""Damages pictures in thousands of ways and reads each of them with the app's code.

The files are read by a worker process, which reports each case before it starts. If a decoder
crashes, hangs or exceeds its limits, the case is reported and a new worker continues with the next
one. The exit status is 1 if any case ends with anything but a photo or an `UploadError`.
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
from picture_mutations import MUTATIONS, make_files, mutate

from explorer.config import REPOSITORY_ROOT
from explorer.data.uploads.decoding import (
    MAX_SIDE,
    MIN_SIDE,
    OWN_LIMITS,
    UploadError,
    read_upload,
)
from explorer.data.uploads.process import limit_process

MAX_SECONDS = 20.0
MAX_MEGABYTES = 900.0
PHOTO = "a photo"
PROGRAM = "import sys, fuzz_uploads as f; f.run_worker(*map(int, sys.argv[1:]))"


@dataclass
class Tally:
    """Results of the cases so far.

    Attributes
    ----------
    outcomes : dict of str to Counter
        For each mutation, the number of cases by outcome.
    failures : list of str
        A line for each failed case.
    max_seconds, max_megabytes : float
        Largest time and increase in memory (MiB) of a case.
    """

    outcomes: dict[str, Counter[str]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    max_seconds: float = 0.0
    max_megabytes: float = 0.0

    def add(self, case: int, result: dict[str, object]) -> None:
        """Add the result of a case."""
        mutation, name = str(result["mutation"]), str(result["file"])
        seconds, megabytes = float(str(result["seconds"])), float(str(result["megabytes"]))
        outcome, problem = str(result["outcome"]), str(result["problem"])
        self.outcomes.setdefault(mutation, Counter())[outcome] += 1
        self.max_seconds = max(self.max_seconds, seconds)
        self.max_megabytes = max(self.max_megabytes, megabytes)
        if seconds > MAX_SECONDS:
            problem = problem or f"took {seconds:.1f} s"
        if megabytes > MAX_MEGABYTES:
            problem = problem or f"took {megabytes:.0f} MiB"
        if problem:
            self.failures.append(f"case {case}, {name}, {mutation}: {problem}")


def read_case(data: bytes) -> tuple[str, str]:
    """Read a file as the app does; return the outcome, and the problem if there is one."""
    try:
        pixels = read_upload(data).pixels
    except UploadError as error:
        text = str(error)
        is_sentence = text and "\n" not in text and len(text) < 250
        return _shorten(text), "" if is_sentence else f"not a sentence: {text!r}"
    except Exception as error:
        return type(error).__name__, f"{type(error).__name__}: {error}"
    sides = pixels.shape[:2]
    is_sound = (
        pixels.dtype == np.uint8
        and pixels.ndim == 3
        and pixels.shape[2] == 3
        and min(sides) >= MIN_SIDE
        and max(sides) <= MAX_SIDE
    )
    return PHOTO, "" if is_sound else f"an array {pixels.dtype} {pixels.shape}"


def _shorten(text: str) -> str:
    """Return the first words of a message without numbers, to group similar messages."""
    return " ".join(re.sub(r"\d+", "N", text).split()[:6])


def read_peak() -> float:
    """Return the peak memory of this process since `reset_peak`, in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def reset_peak() -> None:
    """Reset the peak memory of this process."""
    Path("/proc/self/clear_refs").write_text("5")


def run_cases(seed: int, first: int, last: int) -> None:
    """Run cases `first` to `last` - 1, and report them on standard output."""
    files = make_files()
    warnings.simplefilter("ignore")  # about unusual metadata
    is_linux = sys.platform == "linux"
    for case in range(first, last):
        name, mutation, data = mutate(files, seed, case)
        result: dict[str, object] = {"case": case, "file": name, "mutation": mutation}
        print(json.dumps(result), flush=True)
        if is_linux:
            reset_peak()
        before = read_peak() if is_linux else 0.0
        start = time.perf_counter()
        result["outcome"], result["problem"] = read_case(data)
        result["seconds"] = time.perf_counter() - start
        result["megabytes"] = read_peak() - before if is_linux else 0.0
        print(json.dumps(result), flush=True)


@contextmanager
def start_worker(seed: int, first: int, last: int) -> Iterator[subprocess.Popen[str]]:
    """Start a worker process, and kill it at the end."""
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


def run_worker(seed: int, first: int, last: int) -> None:
    """Run cases within the limits of the app's decoding process, except for its CPU time."""
    limit_process(OWN_LIMITS, with_time=False)
    run_cases(seed, first, last)


def fuzz(seed: int, first: int, count: int) -> Tally:
    """Run `count` cases from `first` on, with a new worker after each crash."""
    tally, case, last = Tally(), first, first + count
    while case < last:
        with start_worker(seed, case, last) as process:
            case = _follow(process, tally, case, last)
    return tally


def _follow(process: "subprocess.Popen[str]", tally: Tally, case: int, last: int) -> int:
    """Add the results of a worker until it ends; return the number of the next case."""
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
            # The first line also waits for the imports of the worker.
            line = lines.get(timeout=2 * MAX_SECONDS)
        except Empty:
            line, ending = None, "hangs"
        if line is None:
            if "case" not in current:
                raise SystemExit("The worker ended before its first case; see its output above.")
            ending = ending or f"ended its process with {process.wait(10)}"
            result = {"outcome": ending, "problem": ending, "seconds": 0, "megabytes": 0}
            tally.add(case, {**current, **result})
            return case + 1
        current = json.loads(line)
        if "outcome" in current:
            tally.add(case, current)
            case += 1
    return case


def report(tally: Tally, seconds: float) -> None:
    """Print the results of all cases."""
    total = Counter[str]()
    for mutation in MUTATIONS:
        counted = tally.outcomes.get(mutation, Counter())
        total += counted
        read = counted[PHOTO]
        refused = counted.total() - read
        print(f"{mutation:24}{counted.total():8} cases,{read:7} read,{refused:7} refused")
    print("\nOutcomes:")
    for outcome, count in total.most_common():
        print(f"{count:8}  {outcome}{'' if outcome == PHOTO else ' …'}")
    print(
        f"\n{total.total()} cases in {seconds:.0f} s; at most {tally.max_seconds:.2f} s and "
        f"{tally.max_megabytes:.0f} MiB per case; {len(tally.failures)} failures"
    )
    for line in tally.failures:
        print(f"FAILED {line}")


def main() -> int:
    """Run the cases, print the results, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="only write the first case to this file")
    options = parser.parse_args()
    if options.keep:
        options.keep.write_bytes(mutate(make_files(), options.seed, options.first)[2])
        return 0
    start = time.perf_counter()
    tally = fuzz(options.seed, options.first, options.cases)
    report(tally, time.perf_counter() - start)
    return 1 if tally.failures else 0


if __name__ == "__main__":
    sys.exit(main())
