"""Reads every hostile file as the app does, each in a fresh process, and tells what it takes.

The columns are the file's size, the most memory that reading it added to a process that has
imported all it needs, the seconds, and what the visitor is told. The code is 1 where a file is not
told apart as it should be, or takes more than the bounds.
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
from explorer.data.uploads.process import read_upload_apart

MOST_MEGABYTES = 1100
MOST_SECONDS = 30.0
_CHILD = """
import os, sys
from explorer.data.uploads import process
def read_most():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))
before = read_most()
process.main()
sys.stdout.flush()
os.write(2, f"\\nGREW {read_most() - before}".encode())
"""


@dataclass(frozen=True)
class Reading:
    """What reading one file took.

    Attributes
    ----------
    told : str
        What the visitor is told; ``""`` for a photo.
    megabytes : float
        By which the process grew at most.
    seconds : float
        From start to end, the process's own start included.
    """

    told: str
    megabytes: float
    seconds: float


def measure(data: bytes, limits: UploadLimits) -> Reading:
    """Read a file with the app's own code in a process that says how far it grew."""
    start = time.perf_counter()
    told = ""
    try:
        read_upload_apart(data, limits)
    except UploadError as error:
        told = str(error)
    seconds = time.perf_counter() - start
    return Reading(told, measure_growth(data, limits), seconds)


def measure_growth(data: bytes, limits: UploadLimits) -> float:
    """Return by how many MiB a reading process grows, as Linux tells.

    That is 0 for what no process is started for, and no number where the process is killed.
    """
    try:
        check_bytes(data, limits)
    except UploadError:
        return 0.0
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, str(limits.megabytes), str(limits.megapixels)],
        input=data,
        capture_output=True,
        cwd=REPOSITORY_ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        check=False,
    )
    found = re.search(rb"GREW (\d+)", done.stderr)
    return float(found[1]) / 1024 if found else float("nan")


def find_fault(file: HostileFile, reading: Reading, most_megabytes: float) -> str:
    """Say what is wrong with a reading, or nothing."""
    if bool(reading.told) != bool(file.wanted) or not re.search(file.wanted, reading.told):
        return f"should say {file.wanted!r}" if file.wanted else "is a photo and should be read"
    if not reading.megabytes <= most_megabytes:
        return "takes too much memory"
    if reading.seconds > MOST_SECONDS:
        return "takes too long"
    return ""


def main() -> int:
    """Measure the files and return the code to end with."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="only files whose names hold one of these")
    parser.add_argument("--public", action="store_true", help="with the limits of a public server")
    parser.add_argument("--keep", type=Path, help="a folder to write the files to as well")
    options = parser.parse_args()
    limits = PUBLIC_LIMITS if options.public else OWN_LIMITS
    faults = 0
    for name in MAKERS:
        if options.names and not any(part in name for part in options.names):
            continue
        file = make_file(name)
        if options.keep:
            (options.keep / name.replace("/", "-")).write_bytes(file.data)
        reading = measure(file.data, limits)
        fault = "" if options.public else find_fault(file, reading, MOST_MEGABYTES)
        faults += bool(fault)
        size = len(file.data) / MEGABYTE
        line = f"{name:46}{size:8.2f} MB{reading.megabytes:7.0f} MiB{reading.seconds:7.2f} s  "
        print(line + (reading.told or "a photo") + (f"  <-- {fault}" if fault else ""), flush=True)
    print(f"{faults} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
