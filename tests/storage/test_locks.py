from collections.abc import Callable
from pathlib import Path
from typing import Any

from filelock import FileLock

from explorer.config import Progress
from explorer.storage.locks import acquire_lock


def test_a_free_lock_is_acquired_at_once_and_again_after_release(
    tmp_path: Path, run: Callable[[Any], Any]
) -> None:
    steps = acquire_lock(tmp_path / "new" / "lock", lambda: Progress("waiting", 0, 1))
    lock = run(steps)
    assert lock.is_locked
    lock.release()
    again = run(acquire_lock(tmp_path / "new" / "lock", lambda: Progress("waiting", 0, 1)))
    again.release()


def test_waiting_reports_the_progress_of_the_holder(
    tmp_path: Path, run: Callable[[Any], Any]
) -> None:
    other = FileLock(tmp_path / "lock")
    other.acquire()
    done = iter(range(10))
    steps = acquire_lock(tmp_path / "lock", lambda: Progress("waiting", next(done), 9))
    assert [next(steps).done, next(steps).done] == [0, 1]
    other.release()
    lock = run(steps)
    assert lock.is_locked
    lock.release()
