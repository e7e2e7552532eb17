"""Decoding a visitor's file in a subprocess, so that a crash or a hang cannot affect the app.

Decoders are large C libraries, and uploads may be hostile. The subprocess has limits on memory and
CPU time and cannot write files. It ends when the photo is decoded, and everything it held is freed.
Bytes and pixels are sent through pipes, not files.
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

from explorer.config import REPOSITORY_ROOT
from explorer.data.uploads.decoding import (
    MAX_SIDE,
    OWN_LIMITS,
    Upload,
    UploadError,
    UploadLimits,
    check_bytes,
    read_upload,
)

MAX_CONCURRENT: Final = 2
"""Maximum number of files decoded at the same time, for all visitors; other files wait."""

BYTES_PER_PIXEL: Final = 14
"""Memory that may be allocated per pixel, in addition to the file and the code."""

MAX_SECONDS: Final = 20
"""CPU time for one file."""

_EXTRA_BYTES = 256 * 2**20
_TIMEOUT = 3.0 * MAX_SECONDS
_SLOTS = threading.BoundedSemaphore(MAX_CONCURRENT)
_LOG = logging.getLogger(__name__)


def read_upload_in_subprocess(data: bytes, limits: UploadLimits = OWN_LIMITS) -> Upload:
    """Decode a visitor's file with `read_upload`, in a subprocess.

    Parameters
    ----------
    data, limits
        As in `read_upload`.

    Returns
    -------
    Upload
        As from `read_upload`.

    Raises
    ------
    UploadError
        As from `read_upload`, and when the subprocess crashes or exceeds its limits.
    """
    check_bytes(data, limits)
    command = [sys.executable, "-m", __name__, str(limits.megabytes), str(limits.megapixels)]
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    with _SLOTS:
        try:
            done = subprocess.run(
                command,
                input=data,
                capture_output=True,
                cwd=REPOSITORY_ROOT,
                env={**os.environ, **threads},
                timeout=_TIMEOUT,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise UploadError(
                "Reading the photo takes too long. Save it again as JPEG or PNG."
            ) from error
    head, _, pixels = done.stdout.partition(b"\n")
    if done.returncode or not head:
        _LOG.warning(
            "A decoder exited with status %s: %s", done.returncode, done.stderr[-2000:].decode()
        )
        raise UploadError(
            "The photo cannot be read: its decoder failed. Save it again as JPEG or PNG."
        )
    result = json.loads(head)
    if "error" in result:
        raise UploadError(str(result["error"]))
    height, width = (min(int(side), MAX_SIDE) for side in result["size"])
    notes = tuple(map(str, result["notes"]))
    return Upload(np.frombuffer(pixels, np.uint8).reshape(height, width, 3), notes)


def limit_process(limits: UploadLimits, *, with_time: bool = True) -> None:
    """Limit the resources of this process from now on, where the system supports it."""
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415 (not available on Windows)

    allowed = BYTES_PER_PIXEL * limits.megapixels * 1_000_000 + 3 * limits.megabytes * 2**20
    limits_by_resource = {
        resource.RLIMIT_AS: _get_address_space() + _EXTRA_BYTES + allowed,
        resource.RLIMIT_CPU: MAX_SECONDS if with_time else resource.RLIM_INFINITY,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
    }
    for resource_id, value in limits_by_resource.items():
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource_id, (value, value))


def _get_address_space() -> int:
    """Return the size of this process's address space in bytes, estimated where it is unknown."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123
            return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 2**30


def main() -> None:
    """Decode a file from standard input; write its size and pixels, or an error, as output."""
    megabytes, megapixels = map(int, sys.argv[1:])
    limits = UploadLimits(megabytes, megapixels)
    limit_process(limits)
    result: dict[str, object]
    pixels = b""
    try:
        upload = read_upload(sys.stdin.buffer.read(), limits)
        result = {"size": upload.pixels.shape[:2], "notes": upload.notes}
        pixels = upload.pixels.tobytes()
    except UploadError as error:
        result = {"error": str(error)}
    sys.stdout.buffer.write(json.dumps(result).encode() + b"\n" + pixels)


if __name__ == "__main__":
    main()
