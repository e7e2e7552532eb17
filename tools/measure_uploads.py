"""Reads each hostile file as the app does, in a process of its own, and measures time and memory.

The columns are the size of the file, the increase in peak memory over a process that has imported
everything it needs, the time, and the message to the visitor. The exit status is 1 if the result
for a file is not the expected one, or a limit is exceeded.
"""

import argparse
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from hostile_files import MAKERS, MEGABYTE, HostileFile, make_file

from explorer.config import REPOSITORY_ROOT
from explorer.data.uploads.decoding import (
    OWN_LIMITS,
    PUBLIC_LIMITS,
    UploadError,
    UploadLimits,
    check_bytes,
)
from explorer.data.uploads.process import read_upload_in_subprocess

MAX_MEGABYTES = 1100
MAX_SECONDS = 30.0
_CHILD = """
import os, sys
from explorer.data.uploads import process
def read_peak():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))
before = read_peak()
process.main()
sys.stdout.flush()
os.write(2, f"\\nGREW {read_peak() - before}".encode())
"""


@dataclass(frozen=True)
class Reading:
    """The result of reading a file, with its cost.

    Attributes
    ----------
    message : str
        The error message; ``""`` if the file can be read as a photo.
    megabytes : float
        Increase in peak memory, MiB; NaN if the process was killed.
    seconds : float
        Total time, including that of the process.
    """

    message: str
    megabytes: float
    seconds: float


def measure(data: bytes, limits: UploadLimits) -> Reading:
    """Read a file as the app does, and measure time and memory."""
    start = time.perf_counter()
    message = ""
    try:
        read_upload_in_subprocess(data, limits)
    except UploadError as error:
        message = str(error)
    seconds = time.perf_counter() - start
    return Reading(message, measure_growth(data, limits), seconds)


def measure_growth(data: bytes, limits: UploadLimits) -> float:
    """Return the increase in peak memory of a decoding process, in MiB (Linux only).

    It is 0 if the file is refused before a process is started, and NaN if the process is killed.
    """
    try:
        check_bytes(data, limits)
    except UploadError:
        return 0.0
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, f"{limits.megabytes},{limits.megapixels}"],
        input=data,
        capture_output=True,
        cwd=REPOSITORY_ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        check=False,
    )
    found = re.search(rb"GREW (\d+)", done.stderr)
    return float(found[1]) / 1024 if found else float("nan")


def find_problem(file: HostileFile, reading: Reading, max_megabytes: float) -> str:
    """Describe what is wrong with a reading; empty if nothing is."""
    if bool(reading.message) != bool(file.wanted) or not re.search(file.wanted, reading.message):
        return f"should say {file.wanted!r}" if file.wanted else "is a photo and should be read"
    if not reading.megabytes <= max_megabytes:  # also for NaN
        return "takes too much memory"
    if reading.seconds > MAX_SECONDS:
        return "takes too long"
    return ""


def main() -> int:
    """Measure the files and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="only files whose names contain one of these")
    parser.add_argument("--public", action="store_true", help="use the limits of a public server")
    parser.add_argument("--keep", type=Path, help="also write the files to this folder")
    options = parser.parse_args()
    limits = PUBLIC_LIMITS if options.public else OWN_LIMITS
    problems = 0
    for name in MAKERS:
        if options.names and not any(part in name for part in options.names):
            continue
        file = make_file(name)
        if options.keep:
            (options.keep / name.replace("/", "-")).write_bytes(file.data)
        reading = measure(file.data, limits)
        problem = "" if options.public else find_problem(file, reading, MAX_MEGABYTES)
        problems += bool(problem)
        size = len(file.data) / MEGABYTE
        line = f"{name:46}{size:8.2f} MB{reading.megabytes:7.0f} MiB{reading.seconds:7.2f} s  "
        print(
            line + (reading.message or "a photo") + (f"  <-- {problem}" if problem else ""),
            flush=True,
        )
    print(f"{problems} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
