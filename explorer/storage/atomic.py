"""Writes that are never seen half done: to a temporary name, synced, then renamed."""

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_OF_A_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)  # `write` names no file


@contextlib.contextmanager
def name_in_errors(path: Path) -> Iterator[None]:
    """Have a disk's `OSError` in the block name `path`, where it names no file yet."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno in _OF_A_DISK:
            error.filename = str(path)
        raise


@contextlib.contextmanager
def stage_file(path: Path) -> Iterator[Path]:
    """Make a temporary file beside `path` that replaces it when the block ends well.

    For libraries that write to a path of their own accord; see `open_atomic` for all else.

    Parameters
    ----------
    path : Path
        Final name. Its folder is made if it is missing.

    Yields
    ------
    Path
        The temporary file, empty.

    Raises
    ------
    OSError
        When the disk is full or read-only; `path` is then as it was before.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    os.close(descriptor)
    temporary = Path(name)
    try:
        with name_in_errors(path):
            yield temporary
            # mkstemp gives 0600; a workspace is shared like any other folder of its owner.
            temporary.chmod(0o644)
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def open_atomic(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file beside `path` that replaces it when the block ends well.

    Parameters
    ----------
    path : Path
        Final name. Its folder is made if it is missing.

    Yields
    ------
    BinaryIO
        The temporary file, open for writing.

    Raises
    ------
    OSError
        When the disk is full or read-only; `path` is then as it was before.
    """
    with stage_file(path) as temporary, temporary.open("wb") as file:
        yield file


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path` so that a reader finds the old file or the new one, whole."""
    with open_atomic(path) as file:
        file.write(data)


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8 to `path`, whole or not at all."""
    write_bytes(path, text.encode())
