"""Reading files that nobody vouches for: without waiting, without end, and without surprises.

A workspace may come from anybody. What stands at a file's place may be a pipe on which a reader
waits for ever, a device, a link that leads elsewhere, or more bytes than memory holds; and what is
in it may be JSON that no writer of ours would write. All of this ends in an `OSError` or
`ValueError` with a reason in words, which callers turn into a message with the file and the cure.
"""

import errno
import hashlib
import json
import math
import os
import stat
from functools import lru_cache
from io import BufferedReader
from pathlib import Path
from typing import Any

MOST_TEXT_BYTES = 64 * 2**20
"""The largest text file that is read: full CUB's largest table has a tenth of that."""

Stamp = tuple[int, int, int]
"""Time of the last change in ns, bytes, and number in the file system."""

_MOST_DIGITS = 20  # of a whole number: 64 bits and their sign


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


def parse_json(text: str | bytes) -> Any:
    """Parse JSON as our own writers write it.

    Raises
    ------
    ValueError
        When it is no JSON or no UTF-8, is nested too deeply, names a key twice, or holds NaN, an
        infinite number or a whole number of more than 64 bits.
    """
    try:
        return json.loads(
            text,
            object_pairs_hook=_make_object,
            parse_constant=_refuse_constant,
            parse_float=_parse_float,
            parse_int=_parse_int,
        )
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _make_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"it names {twice[:80]!r} twice")
    return made


def _refuse_constant(name: str) -> float:
    raise ValueError(f"it holds {name}, which is no number")


def _parse_float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"it holds the number {text[:40]}, which is too large")
    return value


def _parse_int(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise ValueError(f"it holds a whole number of {len(text)} digits")
    return int(text)
