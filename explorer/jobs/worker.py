"""The process that trains what a job asks for: ``python -m explorer.jobs.worker JOB_FOLDER``.

It is started by `explorer.jobs.control.submit`, and ends by itself: when all is done, when
something goes wrong, when a user asks it to, and when its workspace is gone. In each case it says
so in the job's ``status.json``.
"""

import _thread
import contextlib
import faulthandler
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from filelock import FileLock, Timeout

from explorer.config import ExplorerError
from explorer.jobs.endings import (
    ENDED_FROM_OUTSIDE,
    describe_cancelled,
    describe_failure,
    describe_finished,
    describe_kept,
    describe_vanished,
)
from explorer.jobs.report import Reporter
from explorer.jobs.store import (
    CANCEL_FILE,
    LOCK_FILE,
    REQUEST_FILE,
    get_device_lock,
    list_ahead,
    load_job,
)
from explorer.jobs.types import Done, Job, JobState
from explorer.workspace.layout import SETTINGS_FILE

_LOG = logging.getLogger(__name__)
_LOOK = 0.2  # seconds between looks for a reason to stop, and for a free device
_PATIENCE = 1.0  # seconds that a training has to clear up after itself
_LOOKS_OF_OTHERS = 3  # seconds in which whoever looks for life in a job lets go of its lock
_NICENESS = 5  # below the app, whose pages are to stay quick while the CPU trains


class Stopped(BaseException):
    """Raised where the training stands when it is to stop; no `Exception`, so nothing eats it."""


class Watch(threading.Thread):
    """Looks for a reason to stop, and stops the training wherever it stands.

    Parameters
    ----------
    job : Job
        The job that is watched.
    reporter : Reporter
        Takes its last word.
    """

    def __init__(self, job: Job, reporter: Reporter) -> None:
        super().__init__(daemon=True)
        self._folder = job.folder
        self._request = job.request
        self._reporter = reporter
        self.done = Done()
        self.is_over = threading.Event()

    def run(self) -> None:
        """Look until the training is over; end the process where it does not heed."""
        while not self.is_over.wait(_LOOK):
            if self.find_reason():
                _thread.interrupt_main(signal.SIGTERM)
                if not self.is_over.wait(_PATIENCE):
                    try:
                        self.tell_reason()
                    finally:
                        os._exit(1)

    def find_reason(self) -> str:
        """Return why to stop: ``removed``, ``cancelled``, ``vanished``, or nothing."""
        if not _is_there(self._folder / REQUEST_FILE):
            return "removed"
        if _is_there(self._folder / CANCEL_FILE):
            return "cancelled"
        return "" if _is_there(Path(self._request.workspace) / SETTINGS_FILE) else "vanished"

    def tell_reason(self) -> None:
        """Say why the training has stopped."""
        trained, measured = self.done.trained, self.done.measured
        state, message = {
            "cancelled": (
                JobState.CANCELLED,
                describe_cancelled(self._request, trained, measured),
            ),
            "vanished": (JobState.FAILED, describe_vanished(self._request)),
        }.get(self.find_reason(), (JobState.FAILED, ENDED_FROM_OUTSIDE))
        self._reporter.end(state, message, measured)

    def tell_failure(self, error: Exception) -> None:
        """Say what went wrong, which in a workspace that is gone is nothing but that."""
        if self.find_reason():
            self.tell_reason()
            return
        measured = self.done.measured
        kept = describe_kept(self._request, self.done.trained, measured)
        message = f"{describe_failure(error, self._request)} {kept}"
        self._reporter.end(JobState.FAILED, message, measured)


def _is_there(file: Path) -> bool:
    """Tell whether a file can be reached, on a disk that may have been pulled out."""
    try:
        file.stat()
    except OSError:
        return False
    return True


def main() -> None:
    """Run the job whose folder is the command line's only argument."""
    faulthandler.enable()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    with contextlib.suppress(AttributeError, OSError):
        os.nice(_NICENESS)
    folder = Path(sys.argv[1])
    try:
        with FileLock(folder / LOCK_FILE, timeout=_LOOKS_OF_OTHERS):
            work(load_job(folder))
    except Timeout:
        sys.exit(f"{folder} has a worker already.")
    except ExplorerError as error:
        sys.exit(str(error))


def work(job: Job) -> None:
    """Wait for the device, train and measure, and say how it ended."""
    reporter = Reporter(job)
    watch = Watch(job, reporter)
    before = signal.signal(signal.SIGTERM, _stop)
    try:
        watch.start()
        reporter.say(JobState.WAITING)
        with hold_device(job):
            reporter.say(JobState.RUNNING)
            # Importing torch takes 1.8 s and more, in which the job could not be seen or stopped.
            from explorer.jobs.training import train  # noqa: PLC0415

            for category, progress in train(job.request, watch.done):
                reporter.report(category, progress, watch.done.measured)
        _heed_no_more()
        measured = watch.done.measured
        reporter.end(JobState.FINISHED, describe_finished(measured), measured)
    except Stopped:
        watch.tell_reason()
    except Exception as error:
        _heed_no_more()
        _LOG.exception("The training failed")
        watch.tell_failure(error)
    finally:
        watch.is_over.set()
        signal.signal(signal.SIGTERM, before)


def _stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
    _heed_no_more()
    raise Stopped


def _heed_no_more() -> None:
    """Let nothing interrupt the last word."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


@contextlib.contextmanager
def hold_device(job: Job) -> Iterator[None]:
    """Wait until no older job wants the device and nobody else has it, and keep it meanwhile."""
    lock = get_device_lock(job.request)
    while list_ahead(job) or not _try_to_take(lock):
        time.sleep(_LOOK)
    try:
        yield
    finally:
        lock.release()


def _try_to_take(lock: FileLock) -> bool:
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    return True


if __name__ == "__main__":
    main()
