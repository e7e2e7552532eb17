"""Reading untrusted files without hanging, running out of memory or following links outside.

A workspace may come from anyone. A file in it may be a pipe that never ends, a device, a link to
another place, or too large for memory. Each of these raises an `OSError` with a readable reason,
from which callers make a message that names the file and the cure.
"""

import errno
import gzip
import hashlib
import io
import os
import stat
import zipfile
import zlib
from functools import lru_cache
from io import BufferedReader
from pathlib import Path

MAX_TEXT_BYTES = 64 * 2**20
"""Size limit of text files. The largest table of the full CUB has a tenth of it."""

UNREADABLE_ARCHIVE = (
    OSError,
    ValueError,
    RuntimeError,  # for kinds of compression and encryption that it does not know
    EOFError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What NumPy raises for damaged archives of arrays."""

Stamp = tuple[int, int, int]
"""Modification time in ns, size in bytes, and inode number of a file."""


def check_regular(path: Path) -> None:
    """Raise `OSError` if `path` is not a regular file or cannot be accessed."""
    _check_mode(path, path.stat().st_mode)


def open_regular(path: Path) -> BufferedReader:
    """Open a regular file for reading, without ever waiting for a pipe or a device.

    Raises
    ------
    OSError
        When the file is missing, not a regular file, or not readable.
    """
    check_regular(path)  # first, as opening alone has effects on some devices
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags)
    try:
        _check_mode(path, os.fstat(descriptor).st_mode)  # it may have been replaced
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_stamp(path: Path) -> Stamp:
    """Return the stamp of a file, which changes when the file is replaced.

    Raises
    ------
    OSError
        When the file is missing.
    """
    status = path.stat()
    return status.st_mtime_ns, status.st_size, status.st_ino


def hash_regular(path: Path) -> str:
    """Return the SHA-256 of a regular file, in hex.

    Raises
    ------
    OSError
        When the file is missing, not a regular file, or not readable.
    """
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_cached(path: Path) -> str:
    """Return `hash_regular` of a file, which is read again only if it was replaced."""
    return _hash_cached(path, read_stamp(path))


@lru_cache(maxsize=1024)
def _hash_cached(path: Path, stamp: Stamp) -> str:  # noqa: ARG001 (part of the cache key)
    return hash_regular(path)


def _check_mode(path: Path, mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "it is a folder", str(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is a pipe or a device, not a file", str(path))


def read_regular(path: Path, max_bytes: int = MAX_TEXT_BYTES) -> bytes:
    """Read a regular file of at most `max_bytes` bytes.

    Raises
    ------
    OSError
        As for `open_regular`, or when the file is larger.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > max_bytes:
            raise OSError(errno.EFBIG, f"it has {size:,} bytes, more than {max_bytes:,}", str(path))
        return file.read(max_bytes)


def read_plain_or_packed(path: Path, max_bytes: int = MAX_TEXT_BYTES) -> bytes:
    """Read a file as `read_regular` does, or where it is missing, its gzip ``NAME.gz``.

    Raises
    ------
    OSError
        As for `read_regular`, or when the packed file is damaged.
    """
    packed = name_packed(path)
    if os.path.lexists(path) or not packed.exists():
        return read_regular(path, max_bytes)
    data = read_regular(packed, max_bytes)
    try:
        with gzip.open(io.BytesIO(data)) as file:
            content = file.read(max_bytes + 1)
    except (EOFError, zlib.error) as error:
        raise OSError(errno.EINVAL, "it is not a complete gzip file", str(packed)) from error
    if len(content) > max_bytes:
        raise OSError(errno.EFBIG, f"it unpacks to more than {max_bytes:,} bytes", str(packed))
    return content


def name_packed(path: Path) -> Path:
    """Return the name of a file once it is packed."""
    return path.with_name(f"{path.name}.gz")


def explain_os_error(error: OSError) -> str:
    """Return the reason of an `OSError` without its number and path."""
    return error.strerror or str(error)


def is_inside(path: Path, folder: Path) -> bool:
    """Return whether a path is inside a folder, once all links in both are resolved."""
    real = Path(os.path.realpath(path))
    return real.is_relative_to(os.path.realpath(folder))
