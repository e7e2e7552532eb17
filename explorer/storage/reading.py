"""Reading untrusted files without hanging, running out of memory or following links outside.

A workspace may come from anybody. In place of a file there may be a pipe that never ends, a
device, a link to somewhere else, or more bytes than fit in memory. Each of these raises an
`OSError` with a reason in words, which callers turn into a message that names the file and the
cure.
"""

import errno
import hashlib
import os
import stat
from functools import lru_cache
from io import BufferedReader
from pathlib import Path

MOST_TEXT_BYTES = 64 * 2**20
"""The largest text file that is read: full CUB's largest table has a tenth of that."""

Stamp = tuple[int, int, int]
"""Time of the last change in ns, bytes, and number in the file system."""


def check_regular(path: Path) -> None:
    """Raise `OSError` where there is no regular file at `path`, or it cannot be reached."""
    _check_mode(path, path.stat().st_mode)


def open_regular(path: Path) -> BufferedReader:
    """Open a regular file for reading; a pipe, device or folder is refused and never waited for.

    Raises
    ------
    OSError
        When there is no such file, it is none, or it may not be read.
    """
    check_regular(path)  # before it is opened, as even that does something to some devices
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags)
    try:
        _check_mode(path, os.fstat(descriptor).st_mode)  # it may have been replaced meanwhile
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_stamp(path: Path) -> Stamp:
    """Return what changes whenever another file takes this one's place, whatever clocks say.

    Raises
    ------
    OSError
        When there is no such file.
    """
    status = path.stat()
    return status.st_mtime_ns, status.st_size, status.st_ino


def hash_regular(path: Path) -> str:
    """Return the SHA-256 of a regular file, in hex.

    Raises
    ------
    OSError
        When there is no such file, it is none, or it cannot be read.
    """
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_once(path: Path) -> str:
    """Return what `hash_regular` does, and read the file again only where it was replaced."""
    return _hash_once(path, read_stamp(path))


@lru_cache(maxsize=1024)
def _hash_once(path: Path, stamp: Stamp) -> str:  # noqa: ARG001, the stamp is part of the key
    return hash_regular(path)


def _check_mode(path: Path, mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "it is a folder", str(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is a pipe or a device, not a file", str(path))


def read_regular(path: Path, most: int = MOST_TEXT_BYTES) -> bytes:
    """Read a regular file of at most `most` bytes.

    Raises
    ------
    OSError
        As `open_regular`, or when the file is larger.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > most:
            raise OSError(errno.EFBIG, f"it has {size:,} bytes, more than {most:,}", str(path))
        return file.read(most)


def explain_os_error(error: OSError) -> str:
    """Return the reason in an `OSError` without its number and path."""
    return error.strerror or str(error)


def is_inside(path: Path, folder: Path) -> bool:
    """Tell whether a path stays within a folder once all links in both are followed."""
    real = Path(os.path.realpath(path))
    return real.is_relative_to(os.path.realpath(folder))
