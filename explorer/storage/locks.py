"""Locks between processes and threads that write the same files."""

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

_POLL_SECONDS = 0.2
_THREAD_LOCK = Lock()


def acquire_lock(path: Path, report: Callable[[], Progress]) -> Generator[Progress, None, FileLock]:
    """Acquire a lock, waiting while another process or thread holds it.

    The operating system releases a lock when the process that holds it ends, for whatever reason.
    So the holder knows that nobody else is writing, and that incomplete files are left over from an
    interrupted run.

    Parameters
    ----------
    path : Path
        The lock file. Its folder is created if it is missing. The file is empty and is not removed.
    report : callable
        Returns the progress of the process that holds the lock.

    Yields
    ------
    Progress
        From `report`, regularly while another process or thread holds the lock.

    Returns
    -------
    FileLock
        The lock, to be released by the caller.
    """
    make_folder(path.parent)
    if path.is_symlink():  # acquiring the lock would truncate the file that it points to
        remove(path)
    # A generator may be closed in another thread than the one that acquired the lock.
    lock = FileLock(path, thread_local=False)
    while True:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            yield report()
            time.sleep(_POLL_SECONDS)
        else:
            return lock


def is_locked(path: Path) -> bool:
    """Return whether a lock is held; a missing lock file is not created."""
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
def lock_folder(folder: Path) -> Iterator[None]:
    """Hold a lock on a folder, against other threads and processes.

    The folder itself is locked, which leaves no lock file and needs no permission to write. Where
    the system or file system does not support this, only threads of this process are locked out.
    """
    with _THREAD_LOCK:
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
