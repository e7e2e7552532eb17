"""Reads a visitor's file in a process of its own, which may crash, hang or run out of memory alone.

Decoders are large programs in C that meet hostile data here. Whatever they do, the server and its
other visitors go on: the process has a bound on memory and on time, may write no file, and is gone
with all that it held when the photo is read. Bytes and pixels go through pipes, not through files.
"""

import contextlib
import json
import logging
import os
import subprocess
import sys
import threading
from typing import Final

import numpy as np
from numpy.typing import NDArray

from explorer.config import REPOSITORY_ROOT
from explorer.data.uploads.decoding import (
    LONGEST_KEPT,
    OWN_LIMITS,
    UploadError,
    UploadLimits,
    check_bytes,
    read_upload,
)

MOST_AT_ONCE: Final = 2
"""Files that are read at the same time for all visitors; others wait for their turn."""

BYTES_PER_PIXEL: Final = 14
"""What may be allocated for each pixel that a file may have, its own bytes and the code apart."""

MOST_SECONDS: Final = 20
"""Of a processor's time for one file."""

_SPARE_BYTES = 256 * 2**20
_PATIENCE = 3.0 * MOST_SECONDS
_TURNS = threading.BoundedSemaphore(MOST_AT_ONCE)
_LOG = logging.getLogger(__name__)


def read_upload_apart(data: bytes, limits: UploadLimits = OWN_LIMITS) -> NDArray[np.uint8]:
    """Decode a visitor's file as `read_upload` does, in another process.

    Parameters
    ----------
    data, limits
        As in `read_upload`.

    Returns
    -------
    NDArray[np.uint8]
        As from `read_upload`.

    Raises
    ------
    UploadError
        As from `read_upload`; and when the process has crashed, or takes too long or too much.
    """
    check_bytes(data, limits)
    command = [sys.executable, "-m", __name__, str(limits.megabytes), str(limits.megapixels)]
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    with _TURNS:
        try:
            done = subprocess.run(
                command,
                input=data,
                capture_output=True,
                cwd=REPOSITORY_ROOT,
                env={**os.environ, **threads},
                timeout=_PATIENCE,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise UploadError(
                "The photo takes too long to be read. Save it again as JPEG or PNG."
            ) from error
    head, _, pixels = done.stdout.partition(b"\n")
    if done.returncode or not head:
        _LOG.warning("A decoder ended with %s: %s", done.returncode, done.stderr[-2000:].decode())
        raise UploadError(
            "The photo cannot be read: its decoder gave up on it. Save it again as JPEG or PNG."
        )
    said = json.loads(head)
    if "error" in said:
        raise UploadError(str(said["error"]))
    height, width = (min(int(side), LONGEST_KEPT) for side in said["size"])
    return np.frombuffer(pixels, np.uint8).reshape(height, width, 3)


def bound_process(limits: UploadLimits, *, with_time: bool = True) -> None:
    """Set the bounds of this process, from now on; where the system knows none, there are none."""
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415 (there is none on Windows)

    most = BYTES_PER_PIXEL * limits.megapixels * 1_000_000 + 3 * limits.megabytes * 2**20
    bounds = {
        resource.RLIMIT_AS: _count_own_bytes() + _SPARE_BYTES + most,
        resource.RLIMIT_CPU: MOST_SECONDS if with_time else resource.RLIM_INFINITY,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
    }
    for kind, bound in bounds.items():
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (bound, bound))


def _count_own_bytes() -> int:
    """Return how large this process's address space is, as far as the system tells."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123
            return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 2**30


def main() -> None:
    """Read a file from the standard input; write its size and pixels, or why not."""
    megabytes, megapixels = map(int, sys.argv[1:])
    limits = UploadLimits(megabytes, megapixels)
    bound_process(limits)
    said: dict[str, object]
    pixels = b""
    try:
        image = read_upload(sys.stdin.buffer.read(), limits)
        said, pixels = {"size": image.shape[:2]}, image.tobytes()
    except UploadError as error:
        said = {"error": str(error)}
    sys.stdout.buffer.write(json.dumps(said).encode() + b"\n" + pixels)


if __name__ == "__main__":
    main()
