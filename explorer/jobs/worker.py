"""The process that runs a job: ``python -m explorer.jobs.worker JOB_FOLDER``.

It is started by `explorer.jobs.control.submit`. It ends when the job is finished, fails or is
cancelled, or when its workspace is missing, and writes the reason to ``status.json``.
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

from explorer.config import ExplorerError, Progress
from explorer.jobs.endings import (
    TERMINATED,
    describe_cancelled,
    describe_failure,
    describe_finished,
    describe_kept,
    describe_missing_workspace,
)
from explorer.jobs.fetching import fetch
from explorer.jobs.report import Reporter
from explorer.jobs.store import (
    CANCEL_FILE,
    LOCK_FILE,
    REQUEST_FILE,
    get_device_lock,
    list_jobs_ahead,
    load_job,
)
from explorer.jobs.types import CompletedModules, Job, JobRequest, JobState
from explorer.workspace.layout import SETTINGS_FILE

_LOG = logging.getLogger(__name__)
_POLL_SECONDS = 0.2
_CLEAN_UP_SECONDS = 1.0
_LOCK_SECONDS = 3  # others acquire the lock for a moment, to see whether the worker runs
_NICENESS = 5  # gives the app's pages priority over training on the CPU


class Stopped(BaseException):
    """Raised in the main thread to stop the training; a `BaseException`, so nothing catches it."""


class Watcher(threading.Thread):
    """Watches for a reason to stop the training, and stops it.

    Parameters
    ----------
    job : Job
        The job.
    reporter : Reporter
        Writes the final status.
    """

    def __init__(self, job: Job, reporter: Reporter) -> None:
        super().__init__(daemon=True)
        self._folder = job.folder
        self._request = job.request
        self._reporter = reporter
        self.completed = CompletedModules()
        self.has_ended = threading.Event()

    def run(self) -> None:
        """Watch until the training has ended; exit the process if it cannot be interrupted."""
        while not self.has_ended.wait(_POLL_SECONDS):
            if self.find_reason():
                _thread.interrupt_main(signal.SIGTERM)
                if not self.has_ended.wait(_CLEAN_UP_SECONDS):
                    try:
                        self.report_reason()
                    finally:
                        os._exit(1)

    def find_reason(self) -> str:
        """Return why to stop, ``removed``, ``cancelled`` or ``missing``, or an empty string."""
        if not _is_accessible(self._folder / REQUEST_FILE):
            return "removed"
        if _is_accessible(self._folder / CANCEL_FILE):
            return "cancelled"
        if self._request.fetches_to:
            return ""
        return "" if _is_accessible(Path(self._request.workspace) / SETTINGS_FILE) else "missing"

    def report_reason(self) -> None:
        """Report why the training was stopped."""
        trained, measured = self.completed.trained, self.completed.measured
        state, message = {
            "cancelled": (
                JobState.CANCELLED,
                describe_cancelled(self._request, trained, measured),
            ),
            "missing": (JobState.FAILED, describe_missing_workspace(self._request)),
        }.get(self.find_reason(), (JobState.FAILED, TERMINATED))
        self._reporter.finish(state, message, measured)

    def report_failure(self, error: Exception) -> None:
        """Report an error, or the reason to stop if there is one, which then caused the error."""
        if self.find_reason():
            self.report_reason()
            return
        measured = self.completed.measured
        kept = describe_kept(self._request, self.completed.trained, measured)
        message = f"{describe_failure(error, self._request)} {kept}"
        self._reporter.finish(JobState.FAILED, message, measured)


def _is_accessible(file: Path) -> bool:
    """Return whether a file can be accessed; its disk may have been removed."""
    try:
        file.stat()
    except OSError:
        return False
    return True


def main() -> None:
    """Run the job in the folder named on the command line."""
    faulthandler.enable()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    with contextlib.suppress(AttributeError, OSError):
        os.nice(_NICENESS)
    folder = Path(sys.argv[1])
    try:
        with FileLock(folder / LOCK_FILE, timeout=_LOCK_SECONDS):
            run_job(load_job(folder))
    except Timeout:
        sys.exit(f"{folder} already has a worker.")
    except ExplorerError as error:
        sys.exit(str(error))


def run_job(job: Job) -> None:
    """Wait for the device, do the work, and report the result."""
    reporter = Reporter(job)
    watcher = Watcher(job, reporter)
    before = signal.signal(signal.SIGTERM, _stop)
    try:
        watcher.start()
        reporter.set_state(JobState.WAITING)
        with reserve_device(job):
            reporter.set_state(JobState.RUNNING)
            for category, progress in do_work(job.request, watcher.completed):
                reporter.report(category, progress, watcher.completed.measured)
        _ignore_signals()
        measured = watcher.completed.measured
        reporter.finish(JobState.FINISHED, describe_finished(job.request, measured), measured)
    except Stopped:
        watcher.report_reason()
    except Exception as error:
        _ignore_signals()
        _LOG.exception("The job failed")
        watcher.report_failure(error)
    finally:
        watcher.has_ended.set()
        signal.signal(signal.SIGTERM, before)


def do_work(request: JobRequest, completed: CompletedModules) -> Iterator[tuple[str, Progress]]:
    """Fetch photos, or train and measure modules; yield every step with its category."""
    if request.fetches_to:
        return fetch(request)
    # Importing torch takes 1.8 s or more. The job must be visible and stoppable before.
    from explorer.jobs.training import train  # noqa: PLC0415

    return train(request, completed)


def _stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
    _ignore_signals()
    raise Stopped


def _ignore_signals() -> None:
    """Ignore SIGTERM from now on, so that nothing interrupts writing the final status."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


@contextlib.contextmanager
def reserve_device(job: Job) -> Iterator[None]:
    """Wait until the device is free and no older job waits for it, then hold its lock."""
    lock = get_device_lock(job.request)
    while list_jobs_ahead(job) or not _try_to_acquire(lock):
        time.sleep(_POLL_SECONDS)
    try:
        yield
    finally:
        lock.release()


def _try_to_acquire(lock: FileLock) -> bool:
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    return True


if __name__ == "__main__":
    main()
