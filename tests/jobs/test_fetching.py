"""Jobs that fetch photos: a real worker where nothing is downloaded, and one that is cancelled."""

import time
from collections.abc import Generator
from pathlib import Path

import pytest

from explorer.config import Progress
from explorer.data.fetching.download import Fetched
from explorer.data.fetching.transfer import DownloadError
from explorer.jobs import fetching, worker
from explorer.jobs.control import cancel, submit
from explorer.jobs.fetching import make_fetch_request
from explorer.jobs.store import CANCEL_FILE, load_job, save_request
from explorer.jobs.types import Job, JobRequest, JobState

pytestmark = pytest.mark.usefixtures("state_folder")


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """Return a job on disk that has no worker yet."""
    folder = tmp_path / "state" / "jobs" / "job"
    folder.mkdir(parents=True)
    save_request(folder, make_fetch_request(tmp_path / "cache"))
    return load_job(folder)


def patch_fetch(
    monkeypatch: pytest.MonkeyPatch, steps: int, error: Exception | None = None
) -> list[Path]:
    """Let fetching take some steps without a network; return the folders it was asked for."""
    asked: list[Path] = []

    def fetch(folder: Path) -> Generator[Progress, None, Fetched]:
        asked.append(folder)
        for done in range(steps):
            yield Progress("Downloading CUB_200_2011.tgz, MB", done, steps)
            time.sleep(0.001)
        if error:
            raise error
        return Fetched(folder, already_existed=False)

    monkeypatch.setattr(fetching, "fetch_cub", fetch)
    return asked


def test_a_real_worker_says_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "CUB_200_2011").mkdir()
    job = submit(make_fetch_request(tmp_path))
    deadline = time.monotonic() + 90
    while (job := load_job(job.folder)).state.is_live:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert job.state is JobState.FAILED
    assert "is not the complete CUB-200-2011" in job.message
    assert job.message.endswith("the next attempt goes on from there.")


def test_photos_are_fetched_to_the_folder(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = patch_fetch(monkeypatch, 3)
    worker.run_job(job)
    ended = load_job(job.folder)
    assert asked == [tmp_path / "cache"]
    assert (ended.state, ended.message) == (
        JobState.FINISHED,
        f"The photos are in {tmp_path / 'cache'}.",
    )
    assert ended.status.stage == "Downloading CUB_200_2011.tgz, MB"
    assert ended.fraction_done == pytest.approx(2 / 3)


def test_an_interrupted_download_says_that_it_goes_on(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    patch_fetch(monkeypatch, 1, DownloadError("The server does not answer. Try again later."))
    worker.run_job(job)
    ended = load_job(job.folder)
    assert ended.state is JobState.FAILED
    assert ended.message == (
        "The server does not answer. Try again later. What has been downloaded is kept, and the "
        "next attempt goes on from there."
    )


def test_it_can_be_cancelled(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    patch_fetch(monkeypatch, 10**6)
    (job.folder / CANCEL_FILE).touch()
    worker.run_job(job)
    ended = load_job(job.folder)
    assert ended.state is JobState.CANCELLED
    assert ended.message.startswith("Cancelled. What has been downloaded is kept")
    assert cancel(ended) == ended


def test_it_does_not_wait_for_trainings() -> None:
    training = JobRequest("/workspace", ("001.A",), "run", {}, {})
    assert make_fetch_request().device_key != training.device_key


def test_the_default_folder_is_the_users_cache() -> None:
    assert Path(make_fetch_request().fetches_to).name == "srae-explorer"


def test_a_job_has_something_to_do() -> None:
    with pytest.raises(ValueError, match="no categories"):
        JobRequest("/workspace", (), "run", {}, {})
