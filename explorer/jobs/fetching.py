"""The work of a job that fetches the photos of CUB-200-2011."""

from collections.abc import Iterator
from pathlib import Path

from explorer.config import Progress, map_steps
from explorer.data.fetching.cub import fetch_cub
from explorer.jobs.types import JobRequest
from explorer.storage.user_folders import get_cache_folder


def make_fetch_request(folder: Path | None = None) -> JobRequest:
    """Return the request of a job that fetches the photos.

    Parameters
    ----------
    folder : Path, optional
        Where to; by default the folder that ``fetch cub`` fetches them to.
    """
    target = folder or get_cache_folder()
    return JobRequest(
        workspace="",
        categories=(),
        run="",
        module={},
        training={},
        device_key="download",  # which does not wait for trainings, but for another download
        device_words="download",
        fetches_to=str(target),
    )


def fetch(request: JobRequest) -> Iterator[tuple[str, Progress]]:
    """Fetch the photos; yield every step, with an empty category.

    Raises
    ------
    DownloadError
        When fetching or unpacking fails, or the data set is not complete.
    """
    yield from map_steps(fetch_cub(Path(request.fetches_to)), _add_no_category)


def _add_no_category(progress: Progress) -> tuple[str, Progress]:
    return "", progress
