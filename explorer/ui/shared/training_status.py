"""The state of trainings: in the sidebar, and as progress in words and bars."""

import time
from collections.abc import Callable
from pathlib import Path

import streamlit as st

from explorer.config import ExplorerError
from explorer.data.cub import format_category
from explorer.jobs.control import cancel
from explorer.jobs.store import list_jobs, list_jobs_ahead
from explorer.jobs.types import Job, JobState
from explorer.ui.shared import state
from explorer.ui.shared.errors import error_boundary
from explorer.ui.shared.markdown import escape_markdown
from explorer.ui.shared.names import name_training
from explorer.workspace.workspace import Workspace

LOOKS = {
    JobState.WAITING: ("gray", ":material/schedule:"),
    JobState.RUNNING: ("blue", ":material/model_training:"),
    JobState.CANCELLING: ("gray", ":material/stop_circle:"),
    JobState.FINISHED: ("green", ":material/check_circle:"),
    JobState.CANCELLED: ("gray", ":material/stop_circle:"),
    JobState.FAILED: ("red", ":material/error:"),
    JobState.DIED: ("red", ":material/error:"),
}
_POLL_SECONDS = {"sidebar": 1.0, "page": 2.0}
_RECENT_SECONDS = 12 * 3600.0
# Steps before the training itself: neither their share nor their time is that of the job.
_BEFORE_TRAINING = ("Passing photos through the network", "Finding where Z comes from")
_SEEN = f"{state.TRAINING_KEYS}seen"

Show = Callable[[Workspace], None]


def watch(workspace: Workspace) -> None:
    """Note which trainings are live; call it before `show_polled` on every page."""
    st.session_state[_SEEN] = _list_live(workspace)


def show_summary(workspace: Workspace) -> None:
    """Show the progress of trainings in the sidebar, and how the last one ended."""
    show_polled(_show_summary, workspace, "sidebar")


def show_polled(show: Show, workspace: Workspace, place: str) -> None:
    """Show a part of a page that is refreshed while a training is live.

    Parameters
    ----------
    show : callable
        Shows it.
    workspace : Workspace
        What `show` is given.
    place : {"sidebar", "page"}
        Where it is. The few words in the sidebar are refreshed more often than curves.
    """

    def show_safely() -> None:
        with error_boundary(), st.container(key=f"polled-{place}"):
            show(workspace)

    is_anything_alive = bool(st.session_state.get(_SEEN))
    st.fragment(show_safely, run_every=_POLL_SECONDS[place] if is_anything_alive else None)()


def _list_live(workspace: Workspace) -> dict[str, int]:
    """Return the ids of live jobs, with the number of modules that each has finished."""
    jobs = list_jobs(workspace.path)
    return {job.id: len(job.status.measured) for job in jobs if job.state.is_live}


def _show_summary(workspace: Workspace) -> None:
    seen, living = st.session_state[_SEEN], _list_live(workspace)
    jobs = list_jobs(workspace.path)
    if living != seen:  # a module is new, or a job has started or ended
        for job in jobs:
            if job.id in seen and job.id not in living:
                words = escape_markdown(f"{name_training(job.request)}: {job.state}")
                st.toast(words, icon=LOOKS[job.state][1])
        st.rerun()
    for job in jobs:
        if job.state.is_live:
            _show_live(job)
    ended = [job for job in jobs if not job.state.is_live]
    if ended and not living and _has_ended_recently(ended[-1]):
        _show_ended(ended[-1])


def _show_live(job: Job) -> None:
    with st.container(border=True, gap="small"):
        st.markdown(f"**{escape_markdown(name_training(job.request))}**")
        show_progress(job)
        show_cancel_button(job, "sidebar")


def _has_ended_recently(job: Job) -> bool:
    return abs(time.time() - job.status.updated) < _RECENT_SECONDS


def _show_ended(job: Job) -> None:
    colour, icon = LOOKS[job.state]
    name = escape_markdown(name_training(job.request))
    st.caption(f":{colour}[{icon}] {name}: {escape_markdown(job.message)}")


def show_last_failure(workspace: Path) -> None:
    """Show why the latest training failed if its workspace cannot be opened."""
    ended = [job for job in list_jobs(workspace) if job.state in (JobState.FAILED, JobState.DIED)]
    if ended and _has_ended_recently(ended[-1]):
        name, message = name_training(ended[-1].request), ended[-1].message
        st.warning(escape_markdown(f"The training of {name} has ended: {message}"))


def show_progress(job: Job) -> None:
    """Show the progress of a job as a bar and in words."""
    is_before = job.status.stage in _BEFORE_TRAINING
    finished = len(job.status.measured) / max(1, len(job.request.categories))
    st.progress(finished if is_before else job.fraction_done)
    st.caption(escape_markdown(describe_progress(job)))


def describe_progress(job: Job) -> str:
    """Describe the progress of a live job."""
    status, count = job.status, len(job.request.categories)
    if job.state is JobState.CANCELLING:
        return "Stopping …"
    if job.state is JobState.WAITING:
        return _describe_wait(job)
    if not status.stage:
        return "Connecting …" if job.request.fetches_to else "Opening the workspace …"
    is_before = status.stage in _BEFORE_TRAINING
    pieces = [f"{status.stage}: {status.detail or f'{status.done} of {status.total}'}"]
    if is_before:
        pieces.append("then training")
    if count > 1:
        number = min(len(status.measured) + 1, count)
        pieces.insert(0, f"{format_category(status.category)}, {number} of {count}")
    if status.seconds_left is not None and not is_before:
        pieces.append(f"about {format_seconds(status.seconds_left)} left")
    return " · ".join(pieces)


def _describe_wait(job: Job) -> str:
    ahead = list_jobs_ahead(job)
    if not ahead:
        return "Starting …" if not job.status.pid else f"Waits for the {job.request.device_words}."
    first = name_training(ahead[0].request)
    if ahead[0].request.workspace != job.request.workspace:
        first += f" in {ahead[0].request.workspace}"
    others = f" and {len(ahead) - 1} more" if len(ahead) > 1 else ""
    return f"Waits for the {job.request.device_words}, behind {first}{others}."


def format_seconds(seconds: float) -> str:
    """Format a time in one or two units."""
    whole = max(1, round(seconds))
    if whole < 90:
        return f"{whole} s"
    minutes = round(whole / 60)
    if minutes < 90:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def show_cancel_button(job: Job, place: str) -> None:
    """Show the button that stops a job; `place` makes its key unique."""
    kept = (
        "What has been downloaded is kept."
        if job.request.fetches_to
        else "Finished modules are kept, and so are earlier ones."
    )
    is_asked = st.button(
        "Cancel",
        icon=":material/stop_circle:",
        disabled=job.state is JobState.CANCELLING,
        key=f"{state.TRAINING_KEYS}cancel-{place}-{job.id}",
        help=f"Stops within two seconds. {kept}",
    )
    if is_asked:
        try:
            with st.spinner("Stopping …"):
                cancel(job)
        except ExplorerError:  # removed in the meantime, so there is nothing to stop
            pass
        st.rerun()
