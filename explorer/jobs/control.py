"""Starting jobs, stopping them, and clearing away what is left of old ones."""

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
_KEPT = 20
# A worker stops by itself at its next breath. One that cannot, in a long call of a library, is
# killed after this many seconds: the promise is two.
_PATIENCE = 1.5
_LAST_BREATH = 0.3
_STEP = 0.05


def submit(request: JobRequest) -> Job:
    """Write a job down and start its worker, which waits for its turn by itself.

    The worker leads a session of its own, so that it ends neither with the page nor with the app.

    Raises
    ------
    JobError
        When the job cannot be written down or no process be started.
    PublicError
        On a public server.
    """
    remove_old()
    request = replace(request, created=time.time())
    try:
        folder = _make_folder()
    except OSError as error:
        raise JobError(
            f"The training cannot be noted in {get_jobs_folder()}: {error}. Free space there, or "
            f"name another folder in {STATE_VARIABLE} and start the app again."
        ) from error
    try:
        write_draft(folder / RESERVE_FILE, bytes(_RESERVE_BYTES))
        save_request(folder, request)
        _start_worker(folder)
    except OSError as error:
        try_to_remove(folder)
        raise JobError(
            f"The training cannot be started: {error}. Nothing was changed; mend this and try "
            "again."
        ) from error
    return load_job(folder)


def _make_folder() -> Path:
    """Make a folder that sorts by time, and that nobody else has been given."""
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
    # Somebody has to wait for a child that ends, or its entry stays in the system's table.
    threading.Thread(target=_see_off, args=(process, folder), daemon=True).start()


def _see_off(process: subprocess.Popen[bytes], folder: Path) -> None:
    """Wait for a worker's end, and say the last word for one that never began."""
    process.wait()
    status = load_status(folder)
    if not status.pid and status.state.is_live:
        message = "The process ended before it began; its log may say why. Start it again."
        with contextlib.suppress(OSError):
            save_status(folder, replace(status, state=JobState.FAILED, message=message))


def cancel(job: Job) -> Job:
    """Stop a job within two seconds, and return it as it then stands.

    What it has finished stays. The module that was in the making is dropped, and the one that was
    there before is as it was.

    Raises
    ------
    PublicError
        On a public server.
    """
    if not job.state.is_live:
        return job
    with contextlib.suppress(OSError):  # gone, or no room: then it is killed below
        write_draft(job.folder / CANCEL_FILE, b"")
    if not _wait_for_end(job.folder, _PATIENCE):
        _kill(job.folder)
        _wait_for_end(job.folder, _LAST_BREATH)
    _note_cancelled(job.folder)
    return load_job(job.folder)


def _wait_for_end(folder: Path, seconds: float) -> bool:
    """Wait for a worker to end; one that has not begun is left to find the mark."""
    deadline = time.monotonic() + seconds
    while is_alive(folder):
        if time.monotonic() > deadline:
            return False
        time.sleep(_STEP)
    return True


def _kill(folder: Path) -> None:
    """Kill a worker that was found alive again and again, so that its number is still its own."""
    pid = load_status(folder).pid
    if pid:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))


def _note_cancelled(folder: Path) -> None:
    """Say the last word for a worker that was killed before it could."""
    status = load_status(folder)
    has_begun_and_ended = status.pid and not is_alive(folder)
    if has_begun_and_ended and status.state.is_live:
        message = "Stopped as asked. What was finished is kept, what was there before is untouched."
        with contextlib.suppress(OSError):
            save_status(
                folder,
                replace(status, state=JobState.CANCELLED, message=message, updated=time.time()),
            )


def remove(job: Job) -> None:
    """Remove what is left of a job that has ended; its modules stay.

    Raises
    ------
    JobError
        When it lives.
    PublicError
        On a public server.
    """
    if load_job(job.folder).state.is_live:
        raise JobError("A training that is running cannot be removed. Cancel it first.")
    try_to_remove(job.folder)


def remove_old() -> None:
    """Remove all jobs that have ended but the last few."""
    ended = [job for job in list_jobs() if not job.state.is_live]
    for job in ended[:-_KEPT]:
        try_to_remove(job.folder)
