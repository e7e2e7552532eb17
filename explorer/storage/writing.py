"""All changes to the disk: atomic, and refused on a public server.

A file is written under a temporary name, synced, then renamed, so that a reader finds the old file
or the new one, never half of it. Nothing outside this package writes, renames or removes files, so
that a public server can refuse all changes here. A test checks this.
"""

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from explorer.config import PUBLIC_VARIABLE, PublicError, is_public
from explorer.storage.listing import is_system_file

_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def refuse_if_public() -> None:
    """Raise `PublicError` on a public server, where visitors cannot change anything."""
    if is_public():
        raise PublicError(
            "This is a public server: nothing can be trained, written or removed here. Its "
            "operator can do so on the command line, or in an app that is started without "
            f"{PUBLIC_VARIABLE}."
        )


@contextlib.contextmanager
def name_in_errors(path: Path) -> Iterator[None]:
    """Add `path` to an `OSError` about the disk in the block, which names no file of its own."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno in _DISK_ERRORS:
            error.filename = str(path)
        raise


@contextlib.contextmanager
def stage_file(path: Path) -> Iterator[Path]:
    """Create a temporary file next to `path` that replaces it when the block succeeds.

    For libraries that write to a path; otherwise use `open_atomic`.

    Parameters
    ----------
    path : Path
        Final name. Its folder is created if it is missing.

    Yields
    ------
    Path
        The empty temporary file.

    Raises
    ------
    OSError
        When the disk is full or read-only; `path` is then unchanged.
    PublicError
        On a public server, as in every function here.
    """
    make_folder(path.parent)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    os.close(descriptor)
    temporary = Path(name)
    try:
        with name_in_errors(path):
            yield temporary
            # mkstemp sets 0600, but the files of a workspace can be read by others.
            temporary.chmod(0o644)
            sync_file(temporary)
            temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def open_atomic(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file next to `path` that replaces it when the block succeeds.

    Parameters
    ----------
    path : Path
        Final name. Its folder is created if it is missing.

    Yields
    ------
    BinaryIO
        The temporary file, open for writing.

    Raises
    ------
    OSError
        When the disk is full or read-only; `path` is then unchanged.
    """
    with stage_file(path) as temporary, temporary.open("wb") as file:
        yield file


@contextlib.contextmanager
def stage_folder(path: Path) -> Iterator[Path]:
    """Create a temporary folder next to `path` that becomes `path` when the block succeeds.

    Parameters
    ----------
    path : Path
        Final name. It must not exist or be an empty folder.

    Yields
    ------
    Path
        The empty temporary folder.

    Raises
    ------
    OSError
        When it cannot be written; the temporary folder is then removed.
    """
    make_folder(path.parent)
    draft = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent))
    try:
        yield draft
        draft.chmod(0o755)
        if path.exists():
            _remove_empty(path)
        draft.rename(path)
    except BaseException:
        try_to_remove(draft)
        raise


@contextlib.contextmanager
def make_temporary_folder(prefix: str) -> Iterator[Path]:
    """Create a folder in the system's place for temporary files, which is removed at the end."""
    refuse_if_public()
    with tempfile.TemporaryDirectory(prefix=prefix) as name:
        yield Path(name)


def _remove_empty(folder: Path) -> None:
    """Remove a folder that is empty to its owner, whose file manager hides system files."""
    for path in filter(is_system_file, folder.iterdir()):
        remove(path)
    folder.rmdir()


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path` atomically."""
    with open_atomic(path) as file:
        file.write(data)


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` as UTF-8, atomically."""
    write_bytes(path, text.encode())


def write_draft(path: Path, data: bytes) -> None:
    """Write a file directly and without syncing it, in a folder that nobody reads yet."""
    refuse_if_public()
    path.write_bytes(data)


def open_append(path: Path) -> BinaryIO:
    """Open a file for appending; it is created if it is missing."""
    refuse_if_public()
    return path.open("ab")


def sync_file(path: Path) -> None:
    """Wait until the contents of a file are on the disk."""
    refuse_if_public()
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def make_folder(path: Path, *, exist_ok: bool = True) -> None:
    """Create a folder and its parents."""
    refuse_if_public()
    path.mkdir(parents=True, exist_ok=exist_ok)


def move(source: Path, target: Path) -> None:
    """Rename a file or folder; an existing file is replaced."""
    refuse_if_public()
    os.replace(source, target)  # noqa: PTH105 (Path.replace hides that folders work too)


def remove(path: Path) -> None:
    """Remove a file, a folder with its contents, or a link, if it exists.

    Raises
    ------
    OSError
        When it cannot be removed.
    """
    refuse_if_public()
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def try_to_remove(path: Path) -> None:
    """Remove a file, a folder or a link as far as possible, without raising an error."""
    refuse_if_public()
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
