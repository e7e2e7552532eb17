"""Starting, cancelling and removing jobs."""

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from explorer.config import REPOSITORY_ROOT, STATE_VARIABLE
from explorer.jobs.store import (
    CANCEL_FILE,
    LOG_FILE,
    RESERVE_FILE,
    get_jobs_folder,
    is_alive,
    list_jobs,
    load_job,
    load_status,
    save_request,
    save_status,
)
from explorer.jobs.types import Job, JobError, JobRequest, JobState
from explorer.storage.writing import make_folder, open_append, try_to_remove, write_draft

_RESERVE_BYTES = 65_536
_MAX_ENDED_JOBS = 20
# A worker checks regularly whether it is to stop. If it cannot, because of a long call into a
# library, it is killed. Together these stay below the two seconds that `cancel` promises.
_STOP_SECONDS = 1.5
_KILL_SECONDS = 0.3
_POLL_SECONDS = 0.05


def submit(request: JobRequest) -> Job:
    """Store a job and start its worker, which waits until the device is free.

    The worker runs in a session of its own, so that it continues when the page or the app is
    closed.

    Raises
    ------
    JobError
        When the job cannot be stored or the process cannot be started.
    PublicError
        On a public server.
    """
    remove_old()
    request = replace(request, created=time.time())
    try:
        folder = _make_folder()
    except OSError as error:
        raise JobError(
            f"The job cannot be stored in {get_jobs_folder()}: {error}. Free some space "
            f"there, or set {STATE_VARIABLE} to another folder and restart the app."
        ) from error
    try:
        write_draft(folder / RESERVE_FILE, bytes(_RESERVE_BYTES))
        save_request(folder, request)
        _start_worker(folder)
    except OSError as error:
        try_to_remove(folder)
        raise JobError(
            f"The job cannot be started: {error}. Nothing was changed. Fix this and try again."
        ) from error
    return load_job(folder)


def _make_folder() -> Path:
    """Create a folder with a unique name that sorts by time."""
    jobs = get_jobs_folder()
    make_folder(jobs)
    while True:
        folder = jobs / f"{datetime.now(UTC):%Y%m%d-%H%M%S-%f}-{secrets.token_hex(2)}"
        with contextlib.suppress(FileExistsError):
            make_folder(folder, exist_ok=False)
            return folder


def _start_worker(folder: Path) -> None:
    command = [sys.executable, "-m", "explorer.jobs.worker", str(folder)]
    with open_append(folder / LOG_FILE) as log:
        process = subprocess.Popen(
            command,
            cwd=REPOSITORY_ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    # A child that ends stays in the process table until its parent has waited for it.
    threading.Thread(target=_wait_for_worker, args=(process, folder), daemon=True).start()


def _wait_for_worker(process: subprocess.Popen[bytes], folder: Path) -> None:
    """Wait until a worker ends, and set the status of one that failed to start."""
    process.wait()
    status = load_status(folder)
    if not status.pid and status.state.is_live:
        message = "The process failed to start; its log may say why. Start the training again."
        with contextlib.suppress(OSError):
            save_status(folder, replace(status, state=JobState.FAILED, message=message))


def cancel(job: Job) -> Job:
    """Cancel a job within two seconds, and return it.

    Finished modules are kept. The module in training is discarded, and an earlier module of the
    same name is left unchanged.

    Raises
    ------
    PublicError
        On a public server.
    """
    if not job.state.is_live:
        return job
    with contextlib.suppress(OSError):  # no folder or no space: the worker is killed below
        write_draft(job.folder / CANCEL_FILE, b"")
    if not _wait_for_end(job.folder, _STOP_SECONDS):
        _kill(job.folder)
        _wait_for_end(job.folder, _KILL_SECONDS)
    _mark_cancelled(job.folder)
    return load_job(job.folder)


def _wait_for_end(folder: Path, seconds: float) -> bool:
    """Wait until a worker ends, and return whether it did; one that has not started counts."""
    deadline = time.monotonic() + seconds
    while is_alive(folder):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _kill(folder: Path) -> None:
    """Kill a worker. It has just been found alive, so its process id cannot belong to another."""
    pid = load_status(folder).pid
    if pid:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))


def _mark_cancelled(folder: Path) -> None:
    """Set the status of a worker that was killed before it could do so."""
    status = load_status(folder)
    has_started_and_ended = status.pid and not is_alive(folder)
    if has_started_and_ended and status.state.is_live:
        message = "Cancelled. Finished modules are kept, and nothing else was changed."
        with contextlib.suppress(OSError):
            save_status(
                folder,
                replace(status, state=JobState.CANCELLED, message=message, updated=time.time()),
            )


def remove(job: Job) -> None:
    """Remove the folder of a job that has ended; its modules are kept.

    Raises
    ------
    JobError
        When it has not ended.
    PublicError
        On a public server.
    """
    if load_job(job.folder).state.is_live:
        raise JobError("A running training cannot be removed. Cancel it first.")
    try_to_remove(job.folder)


def remove_old() -> None:
    """Remove the jobs that have ended, except for the latest."""
    ended = [job for job in list_jobs() if not job.state.is_live]
    for job in ended[:-_MAX_ENDED_JOBS]:
        try_to_remove(job.folder)
