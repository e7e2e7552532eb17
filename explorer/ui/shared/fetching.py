"""Ways to the photos on a page where they are missing: to fetch them, or to name their folder."""

from collections.abc import Callable
from pathlib import Path

import streamlit as st

from explorer.config import ExplorerError, is_public
from explorer.data.fetching.cub import CUB_200_2011
from explorer.jobs.control import submit
from explorer.jobs.fetching import make_fetch_request
from explorer.jobs.store import list_jobs
from explorer.jobs.types import Job, JobState
from explorer.ui.shared import state
from explorer.ui.shared.errors import error_boundary, explain_error
from explorer.ui.shared.markdown import escape_markdown
from explorer.ui.shared.training_status import show_cancel_button, show_progress

_FOLDER = f"{state.TRAINING_KEYS}photo-folder"
_PROBLEM = f"{state.TRAINING_KEYS}photo-folder-problem"
_POLL_SECONDS = 2.0


def show_ways_to_photos(remember: Callable[[Path], object]) -> None:
    """Show a button that fetches the photos, and a field for a folder that has them.

    Visitors of a public server can do neither.

    Parameters
    ----------
    remember : callable
        Remembers the folder that a user has named; raises `ExplorerError` if it does not fit.
    """
    if is_public():
        return
    with st.container(key="ways-to-photos", border=True):
        is_live = is_fetching()
        st.fragment(_show_fetch, run_every=_POLL_SECONDS if is_live else None)(is_live=is_live)
        if not is_live:
            _ask_for_folder(remember)


def find_fetch() -> Job | None:
    """Return the last job that fetches, or has fetched, photos."""
    jobs = [job for job in list_jobs() if job.request.fetches_to]
    return jobs[-1] if jobs else None


def is_fetching() -> bool:
    """Return whether a job is fetching photos now."""
    job = find_fetch()
    return job is not None and job.state.is_live


def _show_fetch(*, is_live: bool) -> None:
    """Show the progress of a job, or the button that starts one and how the last one ended."""
    with error_boundary():
        job = find_fetch()
        if job is not None and job.state.is_live:
            show_progress(job)
            show_cancel_button(job, "photos")
            return
        if is_live:  # it has just ended
            st.rerun()
        if job is not None and job.state is not JobState.FINISHED:
            st.warning(escape_markdown(job.message), icon=":material/download:")
        size = CUB_200_2011.archive.size / 1e9
        if st.button(
            f"Fetch the photos ({size:.2f} GB)", icon=":material/download:", key="fetch-photos"
        ):
            submit(make_fetch_request())
            st.rerun()


def _ask_for_folder(remember: Callable[[Path], object]) -> None:
    def take_folder() -> None:
        st.session_state.pop(_PROBLEM, None)
        named = str(st.session_state[_FOLDER]).strip()
        if not named:
            return
        try:
            remember(Path(named).expanduser())
        except ExplorerError as error:
            st.session_state[_PROBLEM] = explain_error(error)

    st.text_input(
        "Or name the folder of your copy of CUB-200-2011",
        key=_FOLDER,
        placeholder="…/CUB_200_2011",
        icon=":material/folder:",
        on_change=take_folder,
    )
    if _PROBLEM in st.session_state:
        st.error(st.session_state[_PROBLEM], icon=":material/error:")
