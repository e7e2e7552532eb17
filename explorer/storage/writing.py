"""Every change of the disk: whole or not at all, and none on a public server.

A file is written under a temporary name, synced, then renamed, so that a reader finds the old file
or the new one and never half of it. Nothing outside this room writes, renames or removes anything,
so that what a public server refuses is refused here; a test holds this.
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

_OF_A_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)  # `write` names no file


def refuse_if_public() -> None:
    """Raise `PublicError` on a public server, whose visitors may change nothing."""
    if is_public():
        raise PublicError(
            "This is a public server: nothing can be trained, written or removed here. Whoever "
            f"runs it can do so on the command line, or start another app without "
            f"{PUBLIC_VARIABLE}."
        )


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
    """Make a temporary file beside `path` that replaces it when the block succeeds.

    For libraries that write to a path themselves; see `open_atomic` for everything else.

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
    PublicError
        On a public server, as for every function here.
    """
    make_folder(path.parent)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    os.close(descriptor)
    temporary = Path(name)
    try:
        with name_in_errors(path):
            yield temporary
            # mkstemp gives 0600; a workspace is shared like any other folder of its owner.
            temporary.chmod(0o644)
            sync_file(temporary)
            temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def open_atomic(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file beside `path` that replaces it when the block succeeds.

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


@contextlib.contextmanager
def stage_folder(path: Path) -> Iterator[Path]:
    """Make a temporary folder beside `path` that becomes `path` when the block succeeds.

    Parameters
    ----------
    path : Path
        Final name: nothing, or an empty folder.

    Yields
    ------
    Path
        The temporary folder, empty.

    Raises
    ------
    OSError
        When it cannot be written; nothing is left of it then.
    """
    make_folder(path.parent)
    draft = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent))
    try:
        yield draft
        draft.chmod(0o755)
        if path.exists():
            path.rmdir()
        draft.rename(path)
    except BaseException:
        try_to_remove(draft)
        raise


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path` so that a reader finds the old file or the new one, whole."""
    with open_atomic(path) as file:
        file.write(data)


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8 to `path`, whole or not at all."""
    write_bytes(path, text.encode())


def write_draft(path: Path, data: bytes) -> None:
    """Write a file of a folder that nobody reads before it is renamed: at once, without a sync."""
    refuse_if_public()
    path.write_bytes(data)


def open_append(path: Path) -> BinaryIO:
    """Open a file to write at its end; it is made if it is missing."""
    refuse_if_public()
    return path.open("ab")


def sync_file(path: Path) -> None:
    """Wait until a file is on the disk and not only in the system's memory."""
    refuse_if_public()
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def make_folder(path: Path, *, exist_ok: bool = True) -> None:
    """Make a folder and those above it."""
    refuse_if_public()
    path.mkdir(parents=True, exist_ok=exist_ok)


def move(source: Path, target: Path) -> None:
    """Rename a file or folder; a file takes the place of one that is there."""
    refuse_if_public()
    os.replace(source, target)  # noqa: PTH105 (Path.replace hides that folders work too)


def remove(path: Path) -> None:
    """Remove whatever there is at a path: a file, a folder with all in it, or a link itself.

    Raises
    ------
    OSError
        When it cannot be removed; none where there is nothing.
    """
    refuse_if_public()
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def try_to_remove(path: Path) -> None:
    """Remove what can be removed at a path, and leave the rest."""
    refuse_if_public()
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
