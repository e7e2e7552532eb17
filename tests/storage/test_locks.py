from collections.abc import Callable
from pathlib import Path
from typing import Any

from filelock import FileLock

from explorer.config import Progress
from explorer.storage.locks import take_lock


def test_a_free_lock_is_taken_at_once_and_can_be_taken_again(
    tmp_path: Path, run: Callable[[Any], Any]
) -> None:
    steps = take_lock(tmp_path / "new" / "lock", lambda: Progress("waiting", 0, 1))
    lock = run(steps)
    assert lock.is_locked
    lock.release()
    again = run(take_lock(tmp_path / "new" / "lock", lambda: Progress("waiting", 0, 1)))
    again.release()


def test_who_waits_tells_how_far_the_other_is(tmp_path: Path, run: Callable[[Any], Any]) -> None:
    other = FileLock(tmp_path / "lock")
    other.acquire()
    done = iter(range(10))
    steps = take_lock(tmp_path / "lock", lambda: Progress("waiting", next(done), 9))
    assert [next(steps).done, next(steps).done] == [0, 1]
    other.release()
    lock = run(steps)
    assert lock.is_locked
    lock.release()
