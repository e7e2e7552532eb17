"""Jobs on disk: trainings in separate processes, which outlive the page, the session and the app.

A job is a folder:

========================  =====================================================================
``job.json``              the request; written once, when the job is submitted
``status.json``           progress and result; rewritten by the worker
``history.jsonl``         losses, one line per epoch; appended by the worker
``log.txt``               output of the worker
``cancel``                exists once a user has cancelled the job
``lock``                  held by the worker while it runs
``reserve``               removed to make room for the final status if the disk is full
========================  =====================================================================

The operating system releases a lock when the process that holds it ends, for whatever reason. So
running and dead jobs can be told apart after a crash or a restart, even if the process id has been
reused.

Jobs are stored in the user's state folder, not in the workspace. So a job can report that its
workspace is missing or its disk full, and jobs of several workspaces that need the same device wait
for each other.
"""

import json
import os
import time
from dataclasses import asdict
from pathlib import Path

from filelock import FileLock, Timeout

from explorer.jobs.types import Job, JobError, JobRequest, JobState, JobStatus
from explorer.storage.json_records import convert_record, parse_json
from explorer.storage.reading import open_regular, read_regular
from explorer.storage.user_folders import get_state_folder
from explorer.storage.writing import write_text

REQUEST_FILE = "job.json"
STATUS_FILE = "status.json"
HISTORY_FILE = "history.jsonl"
LOG_FILE = "log.txt"
CANCEL_FILE = "cancel"
LOCK_FILE = "lock"
RESERVE_FILE = "reserve"
# A job without a worker counts as starting for this long.
STARTING_SECONDS = 30.0

_LOG_BYTES = 20_000
_MAX_BYTES = 8 * 2**20
_DIED = (
    "The process ended unexpectedly: it was killed, for example because memory ran out, or the "
    "machine was switched off. Start the training again."
)


def get_jobs_folder() -> Path:
    """Return the folder that holds the folders of all jobs."""
    return get_state_folder() / "jobs"


def get_device_lock(request: JobRequest) -> FileLock:
    """Return the lock that is held by the job that uses the device of `request`."""
    name = "".join(c if c.isalnum() else "-" for c in request.device_key)
    return FileLock(get_state_folder() / "devices" / f"{name}.lock")


def list_jobs(workspace: Path | None = None) -> tuple[Job, ...]:
    """List jobs, the oldest first, without those that cannot be read.

    Parameters
    ----------
    workspace : Path, optional
        List only the jobs of this workspace.
    """
    try:
        folders = sorted(path.parent for path in get_jobs_folder().glob(f"*/{REQUEST_FILE}"))
    except OSError:
        return ()
    jobs = []
    for folder in folders:
        try:
            job = load_job(folder)
        except JobError:
            continue
        if workspace is None or job.request.workspace == str(workspace):
            jobs.append(job)
    return tuple(jobs)


def list_damaged() -> tuple[Path, ...]:
    """List the folders of jobs whose request cannot be read."""
    damaged = []
    for file in sorted(get_jobs_folder().glob(f"*/{REQUEST_FILE}")):
        try:
            load_request(file.parent)
        except JobError:
            damaged.append(file.parent)
    return tuple(damaged)


def list_jobs_ahead(job: Job) -> tuple[Job, ...]:
    """List the jobs that `job` waits for on its device, the oldest first."""
    return tuple(
        other
        for other in list_jobs()
        if other.id < job.id
        and other.request.device_key == job.request.device_key
        and other.state.is_live
    )


def load_job(folder: Path) -> Job:
    """Read a job and determine its state.

    Raises
    ------
    JobError
        When its request is missing or damaged.
    """
    request = load_request(folder)
    status = load_status(folder)
    if not status.state.is_live:
        return Job(folder, request, status, status.state, status.message)
    if not is_alive(folder):
        # The worker may have written its final status and ended since its status was read.
        status = load_status(folder)
        if not status.state.is_live:
            return Job(folder, request, status, status.state, status.message)
        # The absolute value, because the clock may have been set back since.
        is_recent = abs(time.time() - request.created) < STARTING_SECONDS
        is_starting = is_recent and not status.pid
        if not is_starting:
            return Job(folder, request, status, JobState.DIED, _DIED)
    state = JobState.CANCELLING if (folder / CANCEL_FILE).exists() else status.state
    return Job(folder, request, status, state)


def load_request(folder: Path) -> JobRequest:
    """Read the request of a job.

    Raises
    ------
    JobError
        When it is missing or damaged.
    """
    file = folder / REQUEST_FILE
    try:
        content = parse_json(read_regular(file, _MAX_BYTES))
    except (OSError, ValueError) as error:
        raise JobError(f"{file} cannot be read. Remove its folder and start again.") from error
    try:
        return convert_record(content, JobRequest, allow_unknown=False)
    except ValueError as error:
        raise JobError(f"{file} is damaged: {error}. Remove its folder and start again.") from error


def load_status(folder: Path) -> JobStatus:
    """Read the status of a job; the initial status if it is missing or damaged."""
    try:
        content = parse_json(read_regular(folder / STATUS_FILE, _MAX_BYTES))
        return convert_record(content, JobStatus, allow_unknown=False)
    except (OSError, ValueError):
        return JobStatus()


def is_alive(folder: Path) -> bool:
    """Return whether the worker of a job runs, by trying to acquire its lock.

    If two processes ask at the same moment, one may mistake the other for the worker, but only for
    that moment.
    """
    if not (folder / LOCK_FILE).exists():  # and do not create it in a removed folder
        return False
    lock = FileLock(folder / LOCK_FILE)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    except OSError:  # the folder is missing or not writable
        return False
    lock.release()
    return False


def save_request(folder: Path, request: JobRequest) -> None:
    """Write the request of a job."""
    write_text(folder / REQUEST_FILE, json.dumps(asdict(request), indent=1, ensure_ascii=False))


def save_status(folder: Path, status: JobStatus) -> None:
    """Write the status of a job, unless the job has been removed."""
    if (folder / REQUEST_FILE).exists():
        write_text(folder / STATUS_FILE, json.dumps(asdict(status), ensure_ascii=False))


def read_log(job: Job) -> str:
    """Read the end of the log of a job."""
    try:
        with open_regular(job.folder / LOG_FILE) as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _LOG_BYTES))
            return file.read().decode(errors="replace")
    except OSError:
        return ""
