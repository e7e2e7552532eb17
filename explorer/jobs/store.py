"""Trainings in processes of their own, which outlive the page, the visitor and the app.

A job is a folder:

========================  =====================================================================
``job.json``              what is asked for; written once, by whoever submits it
``status.json``           how far it is; replaced as a whole by its worker
``history.jsonl``         losses, a line per epoch, appended by its worker
``log.txt``               what the worker's process writes
``cancel``                is there where a user has asked to stop
``lock``                  held by the worker while it lives
``reserve``               given up for the worker's last word where the disk is full
========================  =====================================================================

The operating system lets go of a lock when its holder ends, in whatever way. So living and dead
jobs are told apart after a crash and a restart, and though another process may have got the number
of one that is gone.

Jobs lie in the user's own folder for such things and not in the workspace. So a job can say what
happened where its workspace has vanished or its disk is full, and jobs of several workspaces wait
for one another where they need the same device.
"""

import json
import os
import time
from dataclasses import asdict
from pathlib import Path

from filelock import FileLock, Timeout
from platformdirs import user_state_path

from explorer.config import STATE_VARIABLE
from explorer.jobs.types import Job, JobError, JobRequest, JobState, JobStatus
from explorer.storage.json_records import convert_record, parse_json
from explorer.storage.reading import open_regular, read_regular
from explorer.storage.writing import write_text

REQUEST_FILE = "job.json"
STATUS_FILE = "status.json"
HISTORY_FILE = "history.jsonl"
LOG_FILE = "log.txt"
CANCEL_FILE = "cancel"
LOCK_FILE = "lock"
RESERVE_FILE = "reserve"
# Until a worker has had this long to start, it is not missed.
STARTING_SECONDS = 30.0

_LOG_BYTES = 20_000
_MOST_BYTES = 8 * 2**20
_DIED = (
    "The process ended without a word: it was killed from outside, as it happens where the memory "
    "runs out, or the machine was switched off. Start the training again."
)


def get_state_folder() -> Path:
    """Return the folder in which jobs and locks are kept: ``SRAE_STATE``, or the system's usual."""
    named = os.environ.get(STATE_VARIABLE)
    return Path(named).resolve() if named else user_state_path("srae-explorer")


def get_jobs_folder() -> Path:
    """Return the folder that holds a folder for every job."""
    return get_state_folder() / "jobs"


def get_device_lock(request: JobRequest) -> FileLock:
    """Return the lock that is held by whoever computes on the device of `request`."""
    name = "".join(c if c.isalnum() else "-" for c in request.device_key)
    return FileLock(get_state_folder() / "devices" / f"{name}.lock")


def list_jobs(workspace: Path | None = None) -> tuple[Job, ...]:
    """List jobs, the oldest first; those that cannot be read are left out.

    Parameters
    ----------
    workspace : Path, optional
        Only those of this workspace.
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
    """List the folders of jobs whose description cannot be read."""
    damaged = []
    for file in sorted(get_jobs_folder().glob(f"*/{REQUEST_FILE}")):
        try:
            load_request(file.parent)
        except JobError:
            damaged.append(file.parent)
    return tuple(damaged)


def list_ahead(job: Job) -> tuple[Job, ...]:
    """List the living jobs that come before `job` on its device, the oldest first."""
    return tuple(
        other
        for other in list_jobs()
        if other.id < job.id
        and other.request.device_key == job.request.device_key
        and other.state.is_live
    )


def load_job(folder: Path) -> Job:
    """Read a job and find out where it stands.

    Raises
    ------
    JobError
        When its description is gone or damaged.
    """
    request = load_request(folder)
    status = load_status(folder)
    if not status.state.is_live:
        return Job(folder, request, status, status.state, status.message)
    if not is_alive(folder):
        # The worker may have said its last word and ended since its status was read.
        status = load_status(folder)
        if not status.state.is_live:
            return Job(folder, request, status, status.state, status.message)
        # Clocks may have been set back since: then it is not starting for ever.
        is_recent = abs(time.time() - request.created) < STARTING_SECONDS
        is_starting = is_recent and not status.pid
        if not is_starting:
            return Job(folder, request, status, JobState.DIED, _DIED)
    state = JobState.CANCELLING if (folder / CANCEL_FILE).exists() else status.state
    return Job(folder, request, status, state)


def load_request(folder: Path) -> JobRequest:
    """Read what a job is asked to do.

    Raises
    ------
    JobError
        When it is gone or damaged.
    """
    file = folder / REQUEST_FILE
    try:
        content = parse_json(read_regular(file, _MOST_BYTES))
    except (OSError, ValueError) as error:
        raise JobError(f"{file} cannot be read. Remove its folder and start again.") from error
    try:
        return convert_record(content, JobRequest, allow_unknown=False)
    except ValueError as error:
        raise JobError(f"{file} is damaged: {error}. Remove its folder and start again.") from error


def load_status(folder: Path) -> JobStatus:
    """Read a worker's last status; one that is missing or damaged counts as none yet."""
    try:
        content = parse_json(read_regular(folder / STATUS_FILE, _MOST_BYTES))
        return convert_record(content, JobStatus, allow_unknown=False)
    except (OSError, ValueError):
        return JobStatus()


def is_alive(folder: Path) -> bool:
    """Tell whether a job's worker lives, by trying to take its lock.

    Where two ask at the same moment, one of them may take the other for the worker; it errs so for
    no longer than a moment.
    """
    if not (folder / LOCK_FILE).exists():  # nor is it to be made in a folder that has been removed
        return False
    lock = FileLock(folder / LOCK_FILE)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    except OSError:  # the folder is gone, or may not be written
        return False
    lock.release()
    return False


def save_request(folder: Path, request: JobRequest) -> None:
    """Write what a job is asked to do."""
    write_text(folder / REQUEST_FILE, json.dumps(asdict(request), indent=1, ensure_ascii=False))


def save_status(folder: Path, status: JobStatus) -> None:
    """Replace the worker's last word; a job that has been removed is not brought back."""
    if (folder / REQUEST_FILE).exists():
        write_text(folder / STATUS_FILE, json.dumps(asdict(status), ensure_ascii=False))


def read_log(job: Job) -> str:
    """Read the end of what the worker's process wrote."""
    try:
        with open_regular(job.folder / LOG_FILE) as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _LOG_BYTES))
            return file.read().decode(errors="replace")
    except OSError:
        return ""
