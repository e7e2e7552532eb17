"""Real workers on painted birds, and jobs in which something goes wrong."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from explorer.config import ExplorerError, Progress, Steps
from explorer.jobs import report, worker
from explorer.jobs import training as job_training
from explorer.jobs.control import cancel, submit
from explorer.jobs.history import load_history
from explorer.jobs.store import (
    REQUEST_FILE,
    RESERVE_FILE,
    get_device_lock,
    get_jobs_folder,
    is_alive,
    list_jobs,
    list_jobs_ahead,
    load_job,
    read_log,
    save_request,
)
from explorer.jobs.types import Job, JobRequest, JobState
from explorer.measuring.records import load_module_measures
from explorer.methods.srae import SraeSettings
from explorer.storage.writing import open_atomic
from explorer.training.modules.runs import name_run
from explorer.training.modules.settings import TrainingSettings
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace

pytestmark = pytest.mark.usefixtures("state_folder")
FIRST, SECOND = "001.Ember_capped_Finch", "002.Harebell_capped_Finch"
FOREVER = 10**6
BUSY = 2  # factor on the promised two seconds, as other tests run at the same time
MODULE = SraeSettings(widths=(16, 8))


def make_request(workspace: Path, *categories: str, epochs: int = 3) -> JobRequest:
    training = TrainingSettings(epochs=epochs, pretrain_epochs=1, batch_size=16)
    run = name_run(MODULE, training)
    return JobRequest(
        str(workspace), categories or (FIRST,), run, MODULE.describe(), asdict(training)
    )


def wait_for(condition: Callable[[], Any], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, [(j.state, j.message, read_log(j)) for j in list_jobs()]
        time.sleep(0.05)


def wait_for_state(job: Job, *states: JobState) -> Job:
    wait_for(lambda: load_job(job.folder).state in states)
    return load_job(job.folder)


def wait_until_trains(job: Job) -> Job:
    """Wait until epochs are counted, so that everything is loaded."""
    wait_for(lambda: load_job(job.folder).status.done > 5)
    return load_job(job.folder)


def put_older_modules(request: JobRequest) -> dict[str, bytes]:
    """Put modules where the job will write its own, and return the contents of all files."""
    modules = Path(request.workspace) / "modules"
    (older,) = modules.glob(f"{FIRST}/*")
    for category in request.categories:
        shutil.copytree(older, modules / category / request.run)
    return read_modules(Path(request.workspace))


def read_modules(workspace: Path) -> dict[str, bytes]:
    folder = workspace / "modules"
    return {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*") if f.is_file()}


# Real processes


def test_a_job_trains_and_measures(own_workspace: Path) -> None:
    job = submit(make_request(own_workspace, FIRST, SECOND))
    assert job.state is JobState.WAITING
    job = wait_for_state(job, JobState.FINISHED, JobState.FAILED)
    assert (job.state, job.message) == (JobState.FINISHED, "2 modules trained and measured.")
    assert job.fraction_done == 1
    workspace = Workspace(own_workspace)
    entries = [entry for entry in workspace.list_modules() if entry.run == job.request.run]
    assert [entry.category for entry in entries] == [FIRST, SECOND]
    for entry in entries:
        workspace.networks.load_module(entry)
        assert load_module_measures(workspace, entry) is not None
    assert load_history(job.folder, FIRST)
    losses = [r for r in load_history(job.folder, SECOND) if "f_reg_test" in r.values]
    assert [record.done for record in losses] == [4, 5, 6]  # after one epoch for each layer
    assert {"faithfulness", "reconstruction", "total"} < set(losses[0].values)
    assert "Training" in read_log(job)
    wait_for(lambda: not is_alive(job.folder))


def test_cancel_takes_two_seconds_and_changes_no_files(own_workspace: Path) -> None:
    request = make_request(own_workspace, SECOND, FIRST, epochs=FOREVER)
    before = put_older_modules(request)
    job = wait_until_trains(submit(request))
    assert job.state is JobState.RUNNING
    assert job.status.category == SECOND
    assert 0 < job.fraction_done < 0.5
    start = time.monotonic()
    job = cancel(job)
    assert time.monotonic() - start < 2 * BUSY
    assert job.state is JobState.CANCELLED
    assert not is_alive(job.folder)
    assert job.message == "Cancelled. Nothing else was changed."
    assert read_modules(own_workspace) == before


def test_a_suspended_process_can_be_cancelled(own_workspace: Path) -> None:
    job = wait_until_trains(submit(make_request(own_workspace, epochs=FOREVER)))
    os.kill(job.status.pid, signal.SIGSTOP)
    job = cancel(job)
    assert job.state is JobState.CANCELLED
    assert job.message.startswith("Cancelled.")
    assert not is_alive(job.folder)


@pytest.mark.slow
def test_a_killed_worker_is_found_dead_and_can_be_started_again(own_workspace: Path) -> None:
    request = make_request(own_workspace, epochs=FOREVER)
    before = put_older_modules(request)
    job = wait_until_trains(submit(request))
    os.kill(job.status.pid, signal.SIGKILL)
    job = wait_for_state(job, JobState.DIED)
    assert "it was killed" in job.message
    assert "Start the training again" in job.message
    assert read_modules(own_workspace) == before
    again = wait_for_state(submit(make_request(own_workspace)), JobState.FINISHED, JobState.FAILED)
    assert again.state is JobState.FINISHED


def test_a_terminated_worker_reports_it(own_workspace: Path) -> None:
    request = make_request(own_workspace, epochs=FOREVER)
    before = put_older_modules(request)
    job = wait_until_trains(submit(request))
    os.kill(job.status.pid, signal.SIGTERM)
    job = wait_for_state(job, JobState.FAILED)
    assert "terminated from outside" in job.message
    assert read_modules(own_workspace) == before


@pytest.mark.slow
def test_jobs_on_one_device_run_one_after_the_other(own_workspace: Path) -> None:
    first = wait_until_trains(submit(make_request(own_workspace, epochs=FOREVER)))
    second = submit(make_request(own_workspace, SECOND))
    third = submit(make_request(own_workspace, SECOND))
    wait_for(lambda: load_job(second.folder).status.pid and load_job(third.folder).status.pid)
    assert [job.id for job in list_jobs_ahead(third)] == [first.id, second.id]
    start = time.monotonic()
    assert cancel(third).state is JobState.CANCELLED
    assert time.monotonic() - start < 2 * BUSY
    assert load_job(first.folder).state is JobState.RUNNING
    assert load_job(second.folder).state is JobState.WAITING
    cancel(first)
    assert wait_for_state(second, JobState.FINISHED).message == "1 module trained and measured."


def test_a_job_waits_for_a_locked_device(own_workspace: Path) -> None:
    request = make_request(own_workspace)
    lock = get_device_lock(
        request
    )  # as held by a job that seems younger, because the clock was set back
    with lock:
        job = submit(request)
        wait_for(lambda: load_job(job.folder).status.pid)
        time.sleep(0.6)
        assert load_job(job.folder).state is JobState.WAITING
        assert list_jobs_ahead(job) == ()
    other = replace(request, device_key="another-card", categories=(SECOND,))
    states = (JobState.FINISHED, JobState.FAILED)
    jobs = [wait_for_state(each, *states) for each in (submit(other), job)]
    assert {job.state for job in jobs} == {JobState.FINISHED}


@pytest.mark.parametrize("is_waiting", [False, True], ids=["running", "waiting"])
def test_a_missing_workspace_is_reported_and_not_created_again(
    own_workspace: Path, is_waiting: bool
) -> None:
    request = make_request(own_workspace, epochs=FOREVER)
    with get_device_lock(request) as lock:
        job = submit(request)
        if is_waiting:
            wait_for(lambda: load_job(job.folder).status.pid)
        else:
            lock.release()
            wait_until_trains(job)
        own_workspace.rename(own_workspace.with_name("moved"))
        job = wait_for_state(job, JobState.FAILED)
    assert "is missing" in job.message
    assert str(own_workspace) in job.message
    assert not own_workspace.exists()


@pytest.mark.slow
def test_a_job_outlives_the_process_that_started_it(own_workspace: Path) -> None:
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from explorer.jobs.control import submit\n"
        "from explorer.jobs.types import JobRequest\n"
        "from explorer.jobs.store import load_job\n"
        "workspace, epochs, category = sys.argv[1:]\n"
        "settings = {'epochs': int(epochs), 'pretrain_epochs': 0}\n"
        "job = submit(JobRequest(workspace, (category,), 'run', {'widths': [8]}, settings,\n"
        "                        device_key=category))\n"
        "while not load_job(job.folder).status.total: time.sleep(0.05)\n"
        "print(job.id)\n"
    )
    ids = []
    for category in (FIRST, SECOND):
        arguments = [sys.executable, "-c", program, str(own_workspace), str(FOREVER), category]
        ended = subprocess.run(arguments, capture_output=True, text=True, check=True, timeout=90)
        ids.append(ended.stdout.strip())
    os.kill(load_job(get_jobs_folder() / ids[1]).status.pid, signal.SIGKILL)
    listing = (
        "from explorer.jobs.store import list_jobs\n"
        "print([(job.id, job.state.value) for job in list_jobs()])\n"
    )

    def list_after_restart() -> str:
        arguments = [sys.executable, "-c", listing]
        return subprocess.run(arguments, capture_output=True, text=True, check=True).stdout.strip()

    wait_for(lambda: list_after_restart() == f"[('{ids[0]}', 'running'), ('{ids[1]}', 'died')]")


def test_training_that_cannot_be_interrupted_is_stopped(own_workspace: Path) -> None:
    """If the main thread is stuck in a call, the watcher exits the process."""
    request = make_request(own_workspace)
    folder = get_jobs_folder() / "stuck"
    save_request(folder, replace(request, created=time.time()))
    program = (
        "import sys, time\n"
        "from explorer.jobs import training, worker\n"
        "training.train = lambda *_: time.sleep(600)\n"
        f"sys.argv[1:] = [{str(folder)!r}]\n"
        "worker.main()\n"
    )
    with subprocess.Popen([sys.executable, "-c", program]) as process:
        wait_for(lambda: load_job(folder).state is JobState.RUNNING)
        (folder / "cancel").touch()
        assert process.wait(20) == 1
    assert load_job(folder).state is JobState.CANCELLED


def test_a_job_has_one_worker(own_workspace: Path) -> None:
    job = wait_until_trains(submit(make_request(own_workspace, epochs=FOREVER)))
    second = subprocess.run(
        [sys.executable, "-m", "explorer.jobs.worker", str(job.folder)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert second.returncode == 1
    assert "already has a worker" in second.stderr


def test_a_damaged_job_is_an_error_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / REQUEST_FILE).write_text("{")
    ended = subprocess.run(
        [sys.executable, "-m", "explorer.jobs.worker", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert "cannot be read" in ended.stderr
    assert "Traceback" not in ended.stderr


# Failures, simulated in this process


@pytest.fixture
def job(own_workspace: Path) -> Job:
    """Return a job without a worker."""
    folder = get_jobs_folder() / "1"
    save_request(folder, replace(make_request(own_workspace), created=time.time()))
    (folder / RESERVE_FILE).write_bytes(bytes(1024))
    return load_job(folder)


def fail_with(monkeypatch: pytest.MonkeyPatch, error: BaseException, on: str = FIRST) -> None:
    """Make training of one category fail after its first step; others succeed."""

    def train(workspace: Workspace, category: str, *_: object) -> Steps[ModuleEntry]:
        yield Progress("Training", 1, 2, {"total": 1.0})
        if category == on:
            raise error
        return workspace.list_modules()[0]

    def measure(workspace: Workspace, entry: ModuleEntry) -> Iterator[Progress]:
        yield Progress("Drawing heatmaps", 1, 1)

    monkeypatch.setattr(job_training, "train_module", train)
    monkeypatch.setattr(job_training, "measure_module", measure)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ExplorerError("Lower the learning rate."), "Lower the learning rate."),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), "There is not enough memory"),
        (MemoryError(), "smaller batch size"),
        (OSError(errno.ENOSPC, "No space left on device"), "The disk is full. Free some space"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "The disk is full. Free some space"),
        (PermissionError(errno.EACCES, "Permission denied", "x"), "Permission denied: 'x'. Fix"),
        (ZeroDivisionError("secret"), "failed unexpectedly. Its log has the details"),
    ],
    ids=str,
)
def test_failures_are_reported_with_a_cure(
    job: Job, monkeypatch: pytest.MonkeyPatch, error: Exception, words: str
) -> None:
    before = read_modules(Path(job.request.workspace))
    fail_with(monkeypatch, error)
    worker.run_job(job)
    ended = load_job(job.folder)
    assert ended.state is JobState.FAILED
    assert words in ended.message
    assert ended.message.endswith("Nothing else was changed.")
    assert "secret" not in ended.message
    assert read_modules(Path(job.request.workspace)) == before
    assert not get_device_lock(job.request).is_locked
    assert get_device_lock(job.request).acquire(timeout=0)
    get_device_lock(job.request).release(force=True)


def test_modules_finished_before_a_failure_are_kept(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_request(job.folder, replace(job.request, categories=(FIRST, SECOND)))
    fail_with(monkeypatch, MemoryError(), on=SECOND)
    worker.run_job(load_job(job.folder))
    ended = load_job(job.folder)
    assert ended.state is JobState.FAILED
    assert "1 module finished: Ember-capped Finch. Nothing else was changed." in ended.message
    assert ended.status.measured == (FIRST,)


def test_cancelling_during_measuring(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    fail_with(monkeypatch, MemoryError(), on=SECOND)

    def measure(workspace: Workspace, entry: ModuleEntry) -> Iterator[Progress]:
        yield Progress("Drawing heatmaps", 1, 2)
        (job.folder / "cancel").touch()
        threading.Event().wait(0.6)
        yield Progress("Drawing heatmaps", 2, 2)

    monkeypatch.setattr(job_training, "measure_module", measure)
    worker.run_job(job)
    ended = load_job(job.folder)
    assert ended.state is JobState.CANCELLED
    assert "Ember-capped Finch is trained but not measured." in ended.message


def test_the_final_status_is_written_to_a_full_disk(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing can be written until the reserved file is removed."""
    reserve, save = job.folder / RESERVE_FILE, report.save_status
    is_full = False

    def save_if_there_is_space(folder: Path, status: Any) -> None:
        if is_full and reserve.exists():
            raise OSError(errno.ENOSPC, "No space left on device")
        save(folder, status)

    def train(*_: object) -> Iterator[Progress]:
        nonlocal is_full
        is_full = True
        yield Progress("Training", 1, 2, {"total": 1.0})

    monkeypatch.setattr(report, "save_status", save_if_there_is_space)
    monkeypatch.setattr(job_training, "train_module", train)
    worker.run_job(job)
    assert load_job(job.folder).state is JobState.FAILED
    assert "The disk is full" in load_job(job.folder).message


def test_the_old_module_is_kept_if_the_disk_is_full(
    job: Job, own_workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker.run_job(job)
    assert load_job(job.folder).state is JobState.FINISHED
    before = read_modules(own_workspace)

    def fill_disk(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def write(path: Path, data: bytes) -> None:
        with monkeypatch.context() as patch, open_atomic(path) as file:
            file.write(data[: len(data) // 2])
            patch.setattr(os, "fsync", fill_disk)

    monkeypatch.setattr("explorer.nn.checkpoint.write_bytes", write)
    worker.run_job(job)
    assert "The disk is full" in load_job(job.folder).message
    assert read_modules(own_workspace) == before


def test_an_error_caused_by_a_missing_workspace_is_reported_as_such(
    job: Job, own_workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train(*_: object) -> Iterator[Progress]:
        yield Progress("Training", 1, 2)
        own_workspace.rename(own_workspace.with_name("moved"))
        raise FileNotFoundError(errno.ENOENT, "No such file", "z.npy")

    monkeypatch.setattr(job_training, "train_module", train)
    worker.run_job(job)
    assert "is missing" in load_job(job.folder).message
    assert not own_workspace.exists()


def test_a_removed_job_is_not_written_again(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    def train(*_: object) -> Iterator[Progress]:
        shutil.rmtree(job.folder)
        while True:
            yield Progress("Training", 1, 2, {"total": 1.0})
            time.sleep(0.01)

    monkeypatch.setattr(job_training, "train_module", train)
    worker.run_job(job)
    assert not job.folder.exists()


def test_settings_of_another_version_are_reported(job: Job) -> None:
    save_request(job.folder, replace(job.request, module={"colour": "blue"}))
    worker.run_job(load_job(job.folder))
    ended = load_job(job.folder)
    assert ended.state is JobState.FAILED
    assert "another version" in ended.message
