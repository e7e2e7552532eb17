"""Turns between processes that would write the same files."""

import contextlib
import os
import sys
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from threading import Lock

from filelock import FileLock, Timeout

from explorer.config import ExplorerError, Progress
from explorer.storage.writing import make_folder, remove

if sys.platform != "win32":
    import fcntl

_LOOK = 0.2  # seconds between looks
_WRITING = Lock()  # of the threads of this process


def take_lock(path: Path, report: Callable[[], Progress]) -> Generator[Progress, None, FileLock]:
    """Take a lock, and wait where another process or thread has it.

    The system lets go of a lock when its holder ends, in whatever way: who has the lock knows that
    nobody else is at work, and that what is half done was left behind.

    Parameters
    ----------
    path : Path
        File that stands for the lock; its folder is made if it is missing. It stays, empty.
    report : callable
        Tells how far the other one is.

    Yields
    ------
    Progress
        What `report` says, now and then, as long as another has the lock.

    Returns
    -------
    FileLock
        Held; to be released.
    """
    make_folder(path.parent)
    if path.is_symlink():  # taking the lock empties the file, wherever it is
        remove(path)
    # A generator may be closed by another thread than the one that took the lock.
    lock = FileLock(path, thread_local=False)
    while True:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            yield report()
            time.sleep(_LOOK)
        else:
            return lock


def is_held(path: Path) -> bool:
    """Tell whether somebody holds the lock; it is not made where it is not there."""
    if path.is_symlink() or not path.is_file():
        return False
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except (Timeout, OSError):
        return True
    lock.release()
    return False


@contextlib.contextmanager
def hold_folder(folder: Path) -> Iterator[None]:
    """Let one writer at a time into a folder, of this and of other processes.

    The lock is on the folder itself, so that it leaves no file behind and needs no right to write.
    Where a system or file system has none, threads of this process still wait for one another.
    """
    with _WRITING:
        if sys.platform == "win32":
            yield
            return
        try:
            descriptor = os.open(folder, os.O_RDONLY)
        except OSError as error:
            raise ExplorerError(f"{folder} cannot be opened: {error.strerror or error}.") from error
        try:
            with contextlib.suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)
