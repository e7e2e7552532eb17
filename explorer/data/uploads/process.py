"""Decoding a visitor's file in a subprocess, so that a crash or a hang cannot affect the app.

Decoders are large C libraries, and uploads may be hostile. The subprocess has limits on memory and
CPU time and cannot write files. It ends when the photo is decoded, and everything it held is freed.
Bytes and pixels are sent through sockets or pipes, not files. On Linux it is a fork of a process
that has imported the decoders; elsewhere it is a new one, which takes an eighth of a second to
start.
"""

import contextlib
import json
import logging
import os
import socket
import subprocess
import sys
import threading
from typing import Final

import numpy as np

from explorer.config import REPOSITORY_ROOT
from explorer.data.uploads import forks
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
    decode = _decode_in_fork if forks.is_available() else _decode_in_new_process
    with _SLOTS:
        try:
            output = decode(data, limits)
        except (TimeoutError, subprocess.TimeoutExpired) as error:
            raise UploadError(
                "Reading the photo takes too long. Save it again as JPEG or PNG."
            ) from error
    failure = UploadError(
        "The photo cannot be read: its decoder failed. Save it again as JPEG or PNG."
    )
    head, end, pixels = output.partition(b"\n")
    if not end:
        raise failure
    result = json.loads(head)
    if "error" in result:
        raise UploadError(str(result["error"]))
    height, width = (min(int(side), MAX_SIDE) for side in result["size"])
    if len(pixels) != 3 * height * width:  # the process was ended while it wrote them
        raise failure
    notes = tuple(map(str, result["notes"]))
    return Upload(np.frombuffer(pixels, np.uint8).reshape(height, width, 3), notes)


def _decode_in_fork(data: bytes, limits: UploadLimits) -> bytes:
    """Return what the decoder writes; empty if it crashed, and its error is in the log."""
    try:
        with _FORKS.start(_write_limits(limits)) as connection:
            connection.settimeout(_TIMEOUT)
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            with connection.makefile("rb") as file:
                return file.read()
    except TimeoutError:
        raise
    except OSError as error:
        _LOG.warning("A decoder failed: %s", error)
        return b""


def _decode_in_new_process(data: bytes, limits: UploadLimits) -> bytes:
    """Return what the decoder writes; empty if it crashed, and its error is in the log."""
    done = subprocess.run(
        [*_COMMAND, _write_limits(limits).decode()],
        input=data,
        capture_output=True,
        cwd=REPOSITORY_ROOT,
        env=_make_environment(),
        timeout=_TIMEOUT,
        check=False,
    )
    if done.returncode:
        _LOG.warning(
            "A decoder exited with status %s: %s", done.returncode, done.stderr[-2000:].decode()
        )
        return b""
    return done.stdout


def _make_environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def _write_limits(limits: UploadLimits) -> bytes:
    return f"{limits.megabytes},{limits.megapixels}".encode()


def _read_limits(text: str) -> UploadLimits:
    return UploadLimits(*map(int, text.split(",")))


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


def _decode(data: bytes, limits: UploadLimits) -> bytes:
    """Return a line with the size of a photo and notes, and its pixels; or a line with an error."""
    try:
        upload = read_upload(data, limits)
    except UploadError as error:
        return json.dumps({"error": str(error)}).encode() + b"\n"
    head = {"size": upload.pixels.shape[:2], "notes": upload.notes}
    return json.dumps(head).encode() + b"\n" + upload.pixels.tobytes()


def _work(request: bytes, connection: socket.socket) -> None:
    """Decode the file that comes through a connection, and send the result back."""
    limits = _read_limits(request.decode())
    limit_process(limits)
    with connection.makefile("rb") as file:
        data = file.read()
    connection.sendall(_decode(data, limits))


def main() -> None:
    """Decode a file from standard input to standard output, or wait for files in forks."""
    if not sys.argv[1:]:
        forks.serve(_work, round(_TIMEOUT))
        return
    limits = _read_limits(sys.argv[1])
    limit_process(limits)
    sys.stdout.buffer.write(_decode(sys.stdin.buffer.read(), limits))


_COMMAND = [sys.executable, "-m", "explorer.data.uploads.process"]
_FORKS = forks.Forks(_COMMAND, REPOSITORY_ROOT, _make_environment())


if __name__ == "__main__":
    main()
