"""The panel that fetches photos, or asks where they are."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from app_pages import find, read_texts
from streamlit.testing.v1 import AppTest

from explorer.config import PUBLIC_VARIABLE, ExplorerError
from explorer.jobs.fetching import make_fetch_request
from explorer.jobs.store import CANCEL_FILE, list_jobs, load_job, save_request, save_status
from explorer.jobs.types import Job, JobState, JobStatus
from explorer.ui.shared import fetching

LABEL = "Fetch the photos (1.15 GB)"


def _show(remember) -> None:
    from explorer.ui.shared.fetching import show_ways_to_photos  # noqa: PLC0415

    show_ways_to_photos(remember)


@pytest.fixture
def named() -> list[Path]:
    """Return the list of folders that were named on the page."""
    return []


@pytest.fixture
def open_panel(state_folder: Path, named: list[Path]) -> Callable[..., AppTest]:
    """Return a function that shows the panel alone."""

    def remember(folder: Path) -> None:
        if folder.name != "CUB_200_2011":
            raise ExplorerError(f"{folder} lacks 11,788 photos.")
        named.append(folder)

    return lambda: AppTest.from_function(_show, args=(remember,), default_timeout=60).run()


@pytest.fixture
def put_job(state_folder: Path) -> Callable[..., Job]:
    """Return a function that puts a job on disk, as its worker would have left it."""

    def put(status: JobStatus) -> Job:
        folder = state_folder / "jobs" / f"job-{len(list_jobs())}"
        folder.mkdir(parents=True)
        save_request(folder, replace(make_fetch_request(state_folder / "cache"), created=1.0))
        save_status(folder, status)
        return load_job(folder)

    return put


def test_a_button_starts_the_download(
    open_panel: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted = []
    monkeypatch.setattr(fetching, "submit", submitted.append)
    app = open_panel()
    assert not app.exception
    find(app.button, LABEL).click().run()
    (request,) = submitted
    assert request == make_fetch_request()


def test_a_live_download_shows_its_progress_and_can_be_cancelled(
    open_panel: Callable[..., AppTest],
    put_job: Callable[..., Job],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    status = JobStatus(JobState.RUNNING, stage="Downloading, MB", done=300, total=1200)
    job = put_job(replace(status, pid=os.getpid(), seconds_left=240.0))
    monkeypatch.setattr("explorer.jobs.store.is_alive", lambda _: True)
    monkeypatch.setattr(
        "explorer.ui.shared.training_status.cancel",
        lambda job: (job.folder / CANCEL_FILE).touch(),
    )
    app = open_panel()
    assert not app.exception
    assert "Downloading, MB: 300 of 1200 · about 4 min left" in read_texts(app).replace("\\", "")
    assert LABEL not in [button.label for button in app.button]
    assert not app.text_input
    find(app.button, "Cancel").click().run()
    assert load_job(job.folder).state is JobState.CANCELLING
    assert "Stopping …" in read_texts(app)


@pytest.mark.parametrize("state", [JobState.FAILED, JobState.CANCELLED])
def test_a_download_that_ended_early_says_why_and_can_be_started_again(
    open_panel: Callable[..., AppTest], put_job: Callable[..., Job], state: JobState
) -> None:
    put_job(JobStatus(state, message="The server does not answer."))
    app = open_panel()
    assert app.warning[0].value == "The server does not answer."
    assert find(app.button, LABEL)


def test_a_finished_download_says_nothing(
    open_panel: Callable[..., AppTest], put_job: Callable[..., Job]
) -> None:
    put_job(JobStatus(JobState.FINISHED, message="The photos are in /cache."))
    assert not open_panel().warning


def test_a_folder_can_be_named(open_panel: Callable[..., AppTest], named: list[Path]) -> None:
    app = open_panel()
    app.text_input[0].set_value(" ~/CUB_200_2011 ").run()
    assert not app.error
    assert named == [Path.home() / "CUB_200_2011"]


def test_a_folder_that_does_not_fit_is_refused_with_the_reason(
    open_panel: Callable[..., AppTest], named: list[Path]
) -> None:
    app = open_panel()
    app.text_input[0].set_value("/elsewhere").run()
    assert "lacks 11,788 photos" in app.error[0].value
    assert not named
    app.text_input[0].set_value("/data/CUB_200_2011").run()
    assert not app.error
    assert named == [Path("/data/CUB_200_2011")]


def test_visitors_of_a_public_server_fetch_nothing(
    open_panel: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PUBLIC_VARIABLE, "1")
    app = open_panel()
    assert not app.button
    assert not app.text_input
