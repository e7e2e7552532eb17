"""Writing the status and the history of a job."""

import logging
import os
import threading
import time
from collections.abc import Sequence
from dataclasses import replace

from explorer.config import Progress
from explorer.jobs.history import Pace, format_record, is_recorded
from explorer.jobs.store import HISTORY_FILE, REQUEST_FILE, RESERVE_FILE, save_status
from explorer.jobs.types import Job, JobState, JobStatus
from explorer.storage.writing import open_append, remove

_LOG = logging.getLogger(__name__)
_SECONDS_BETWEEN_WRITES = 0.25


class Reporter:
    """Writes ``status.json`` and ``history.jsonl`` of a job. Can be used from several threads.

    Parameters
    ----------
    job : Job
        The job.
    """

    def __init__(self, job: Job) -> None:
        self._folder = job.folder
        self._status = JobStatus(pid=os.getpid())
        self._pace = Pace(len(job.request.categories))
        self._lines: list[str] = []
        self._last_write = 0.0
        self._lock = threading.RLock()

    def set_state(self, state: JobState) -> None:
        """Set the state to waiting or running."""
        started = time.time() if state is JobState.RUNNING else 0.0
        self._write(replace(self._status, state=state, started=started))

    def report(self, category: str, progress: Progress, measured: Sequence[str]) -> None:
        """Report a step.

        The first and the last step of a stage are written at once, the others at intervals: writing
        to the disk may take longer than an epoch.
        """
        before = self._status
        if is_recorded(progress):
            self._lines.append(format_record(category, progress))
        self._status = replace(
            before,
            category=category,
            stage=progress.stage,
            done=progress.done,
            total=progress.total,
            detail=progress.detail,
            measured=tuple(measured),
            seconds_left=self._pace.estimate(category, progress),
        )
        is_new = (category, progress.stage) != (before.category, before.stage)
        if is_new:
            _LOG.info("%s: %s", category, progress.stage)
        is_due = time.monotonic() - self._last_write > _SECONDS_BETWEEN_WRITES
        if is_new or is_due or progress.done == progress.total:
            self._append_lines()
            self._write(self._status)

    def finish(self, state: JobState, message: str, measured: Sequence[str]) -> None:
        """Write the final status; if the disk is full, the reserved file is removed for it."""
        _LOG.info("%s: %s", state, message)
        status = replace(
            self._status, state=state, message=message, measured=tuple(measured), seconds_left=None
        )
        try:
            self._write(status)
        except OSError:
            remove(self._folder / RESERVE_FILE)
            self._write(status)
        self._append_lines()

    def _append_lines(self) -> None:
        with self._lock:
            if self._lines and (self._folder / REQUEST_FILE).exists():
                with open_append(self._folder / HISTORY_FILE) as file:
                    file.write("".join(self._lines).encode())
                self._lines.clear()

    def _write(self, status: JobStatus) -> None:
        with self._lock:
            self._status = replace(status, updated=time.time())
            self._last_write = time.monotonic()
            save_status(self._folder, self._status)
