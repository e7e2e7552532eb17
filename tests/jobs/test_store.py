import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from explorer.config import STATE_VARIABLE, ExplorerError
from explorer.jobs import control
from explorer.jobs.control import cancel, remove, submit
from explorer.jobs.store import (
    CANCEL_FILE,
    LOCK_FILE,
    REQUEST_FILE,
    STARTING_SECONDS,
    STATUS_FILE,
    get_jobs_folder,
    get_state_folder,
    is_alive,
    list_damaged,
    list_jobs,
    list_jobs_ahead,
    load_job,
    save_request,
    save_status,
)
from explorer.jobs.types import Job, JobError, JobRequest, JobState, JobStatus

pytestmark = pytest.mark.usefixtures("state_folder")
REQUEST = JobRequest("/birds", ("001.Wren", "002.Robin"), "srae-k5-s0", {"q": 3.0}, {"epochs": 2})
LONG_AGO = time.time() - STARTING_SECONDS - 1


def make_job(name: str, *, workspace: str = "/birds", key: str = "cpu", age: float = 0.0) -> Path:
    """Write a job that has no worker."""
    folder = get_jobs_folder() / name
    request = replace(REQUEST, workspace=workspace, device_key=key, created=time.time() - age)
    save_request(folder, request)
    return folder


@pytest.fixture
def no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "_start_worker", lambda _: None)


# Reading


def test_state_folder_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(STATE_VARIABLE)
    assert get_state_folder().name == "srae-explorer"
    assert get_state_folder().is_absolute()


def test_a_job_round_trips() -> None:
    folder = make_job("1")
    status = JobStatus(
        JobState.FINISHED, "Done.", "002.Robin", "Training", 3, 4, ("001.Wren",), 7.5, 12, 1.0
    )
    save_status(folder, status)
    job = load_job(folder)
    assert job.request == replace(REQUEST, created=job.request.created)
    assert (job.status, job.state, job.message) == (status, JobState.FINISHED, "Done.")
    assert job.id == "1"
    assert job.fraction_done == pytest.approx((1 + 3 / 4) / 2)


def test_jobs_are_listed_by_age_and_by_workspace() -> None:
    assert list_jobs() == ()
    for name, workspace in (("3", "/a"), ("1", "/b"), ("2", "/a")):
        make_job(name, workspace=workspace)
    assert [job.id for job in list_jobs()] == ["1", "2", "3"]
    assert [job.id for job in list_jobs(Path("/a"))] == ["2", "3"]


@pytest.mark.parametrize(
    ("reported", "is_locked", "is_cancelled", "age", "state"),
    [
        (None, False, False, 0, JobState.WAITING),  # its worker is about to start
        (None, False, False, STARTING_SECONDS + 1, JobState.DIED),
        (None, False, False, -STARTING_SECONDS - 1, JobState.DIED),  # the clock was set back
        (None, True, False, STARTING_SECONDS + 1, JobState.WAITING),
        (None, True, False, -STARTING_SECONDS - 1, JobState.WAITING),
        (JobState.WAITING, True, False, 0, JobState.WAITING),
        (JobState.WAITING, False, False, 0, JobState.DIED),
        (JobState.RUNNING, True, False, 0, JobState.RUNNING),
        (JobState.RUNNING, True, True, 0, JobState.CANCELLING),
        (JobState.RUNNING, False, False, 0, JobState.DIED),
        (JobState.RUNNING, False, True, 0, JobState.DIED),
        (JobState.FINISHED, True, True, 0, JobState.FINISHED),
        (JobState.FAILED, False, False, 0, JobState.FAILED),
        (JobState.CANCELLED, False, True, 0, JobState.CANCELLED),
    ],
)
def test_the_lock_tells_running_jobs_from_dead_ones(
    reported: JobState | None, is_locked: bool, is_cancelled: bool, age: float, state: JobState
) -> None:
    folder = make_job("1", age=age)
    if reported:
        save_status(folder, JobStatus(reported, pid=os.getpid()))  # the process id is not used
    if is_cancelled:
        (folder / CANCEL_FILE).touch()
    lock = FileLock(folder / LOCK_FILE)
    if is_locked:
        lock.acquire()
    job = load_job(folder)
    lock.release()
    assert job.state is state
    assert ("Start the training again" in job.message) == (state is JobState.DIED)


def test_a_removed_job_is_not_created_again(tmp_path: Path) -> None:
    assert not is_alive(tmp_path / "gone")
    save_status(tmp_path / "gone", JobStatus())
    assert not (tmp_path / "gone").exists()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[1]",
        "{}",
        '{"workspace": "/a"}',
        json.dumps({**vars(REQUEST), "surprise": 1}),
        json.dumps({**vars(REQUEST), "workspace": 5}),
        json.dumps({**vars(REQUEST), "categories": []}),
        json.dumps({**vars(REQUEST), "categories": [3]}),
        json.dumps({**vars(REQUEST), "module": None}),
        json.dumps({**vars(REQUEST), "created": "yesterday"}),
    ],
)
def test_a_damaged_request_does_not_hide_other_jobs(text: str) -> None:
    make_job("1")
    folder = make_job("2")
    (folder / REQUEST_FILE).write_text(text)
    assert [job.id for job in list_jobs()] == ["1"]
    assert list_damaged() == (folder,)
    with pytest.raises(JobError, match=r"job\.json.*start again"):
        load_job(folder)


@pytest.mark.parametrize(
    "change",
    [
        {"state": "dancing"},
        {"state": "died"},
        {"done": "three"},
        {"measured": None},
        {"measured": [1]},
        {"seconds_left": "soon"},
        {"surprise": 1},
    ],
)
def test_a_damaged_status_is_ignored(change: dict[str, Any]) -> None:
    folder = make_job("1")
    save_status(folder, JobStatus(JobState.FINISHED, pid=3))
    content = json.loads((folder / STATUS_FILE).read_text())
    (folder / STATUS_FILE).write_text(json.dumps(content | change))
    assert load_job(folder).status == JobStatus()
    (folder / STATUS_FILE).write_bytes(b"\xff\x00")
    assert load_job(folder).state is JobState.WAITING


def test_older_jobs_on_the_same_device_go_first() -> None:
    names = {"1": "cuda-a", "2": "cpu", "3": "cuda-a", "4": "cuda-a", "5": "cuda-a"}
    jobs = {name: load_job(make_job(name, key=key)) for name, key in names.items()}
    save_status(jobs["3"].folder, JobStatus(JobState.FINISHED))
    assert [job.id for job in list_jobs_ahead(jobs["4"])] == ["1"]
    assert [job.id for job in list_jobs_ahead(jobs["5"])] == ["1", "4"]
    assert list_jobs_ahead(jobs["1"]) == list_jobs_ahead(jobs["2"]) == ()


def test_reading_jobs_needs_no_torch() -> None:
    check = "import sys, explorer.jobs.worker, explorer.jobs.control; assert 'torch' not in "
    check += "sys.modules and 'explorer.workspace.workspace' not in sys.modules"
    subprocess.run([sys.executable, "-c", check], check=True)


# Submitting, cancelling, removing


@pytest.mark.usefixtures("no_worker")
def test_jobs_submitted_at_the_same_time_are_distinct() -> None:
    with ThreadPoolExecutor(8) as pool:
        jobs = list(pool.map(submit, [REQUEST] * 24))
    assert len({job.id for job in jobs}) == 24
    assert len(list_jobs()) == 24
    assert all(job.state is JobState.WAITING for job in jobs)
    later = submit(REQUEST)
    assert max(job.id for job in jobs) < later.id


@pytest.mark.usefixtures("no_worker")
def test_old_jobs_are_removed_and_running_ones_kept() -> None:
    for number in range(25):
        save_status(make_job(f"{number:02}"), JobStatus(JobState.FINISHED))
    save_status(make_job("00"), JobStatus())
    submit(REQUEST)
    names = [job.id for job in list_jobs()]
    assert names[:3] == ["00", "05", "06"]
    assert len(names) == 1 + 20 + 1


def test_a_state_folder_that_cannot_be_written_is_an_error(
    tmp_path: Path, state_folder: Path
) -> None:
    state_folder.write_text("a file where a folder should be")
    with pytest.raises(JobError, match="SRAE_STATE"):
        submit(REQUEST)


def test_nothing_is_left_if_the_process_cannot_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(JobError, match=r"cannot be started.*Nothing was changed"):
        submit(REQUEST)
    assert not list(get_jobs_folder().iterdir())


def test_a_process_that_fails_to_start_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho 'no such library' >&2\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))
    job = submit(REQUEST)
    deadline = time.monotonic() + 20
    while load_job(job.folder).state.is_live:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert load_job(job.folder).state is JobState.FAILED
    assert "failed to start" in load_job(job.folder).message


def test_a_job_that_has_ended_is_not_cancelled() -> None:
    folder = make_job("1")
    save_status(folder, JobStatus(JobState.FINISHED))
    job = load_job(folder)
    assert cancel(job) == job
    assert not (folder / CANCEL_FILE).exists()


def test_a_job_that_has_not_started_is_marked_as_cancelled() -> None:
    job = cancel(load_job(make_job("1")))
    assert job.state is JobState.CANCELLING
    assert (job.folder / CANCEL_FILE).exists()


def test_only_ended_jobs_are_removed() -> None:
    living, ended = load_job(make_job("1")), load_job(make_job("2", age=STARTING_SECONDS + 1))
    with pytest.raises(JobError, match="Cancel it first"):
        remove(living)
    remove(ended)
    assert [job.id for job in list_jobs()] == ["1"]


def test_a_job_error_is_an_explorer_error() -> None:
    assert issubclass(JobError, ExplorerError)
    assert not Job(Path("x"), REQUEST, JobStatus(), JobState.DIED).state.is_live
