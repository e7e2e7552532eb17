"""Messages about how a job ended and what to do next."""

import errno

from explorer.config import ExplorerError
from explorer.data.cub import format_category
from explorer.jobs.types import JobRequest

TERMINATED = (
    "The process was terminated from outside, for example because the machine was shut down. "
    "Nothing else was changed. Start the training again."
)
UNEXPECTED = "The training failed unexpectedly. Its log has the details."

_MAX_NAMES = 3
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


def describe_finished(request: JobRequest, measured: list[str]) -> str:
    """Say that all modules are finished, or that the photos are there."""
    if request.fetches_to:
        return f"The photos are in {request.fetches_to}."
    return f"{_count_modules(len(measured))} trained and measured."


def describe_cancelled(request: JobRequest, trained: list[str], measured: list[str]) -> str:
    """Say what remains of a job that was cancelled.

    Parameters
    ----------
    request : JobRequest
        The job's request.
    trained, measured : list of str
        Categories whose modules are stored, and those whose modules are also measured.
    """
    return f"Cancelled. {describe_kept(request, trained, measured)}"


def describe_kept(request: JobRequest, trained: list[str], measured: list[str]) -> str:
    """Say which modules are finished, and that nothing else was changed."""
    if request.fetches_to:
        return "What has been downloaded is kept, and the next attempt goes on from there."
    sentences = []
    if measured:
        sentences.append(f"{_count_modules(len(measured))} finished: {_list_names(measured)}.")
    sentences += [
        f"{format_category(name)} is trained but not measured."
        for name in trained
        if name not in measured
    ]
    if len(trained) < len(request.categories):
        sentences.append("Nothing else was changed.")
    return " ".join(sentences)


def describe_missing_workspace(request: JobRequest) -> str:
    """Say that the workspace is missing."""
    return (
        f"The workspace {request.workspace} is missing: it was moved or removed, or its disk is "
        "no longer connected. Restore it and start the training again."
    )


def describe_failure(error: Exception, request: JobRequest) -> str:
    """Say what went wrong and what to do."""
    if isinstance(error, ExplorerError):
        return str(error)
    if isinstance(error, MemoryError) or "out of memory" in str(error).lower():
        return (
            f"There is not enough memory ({request.device_words}). Close other programs, or choose "
            "a smaller batch size, smaller widths or another device, and start again."
        )
    if isinstance(error, OSError) and error.errno in _DISK_FULL:
        return "The disk is full. Free some space and start the training again."
    if isinstance(error, OSError):
        return f"{error}. Fix this and start the training again."
    return UNEXPECTED


def _count_modules(modules: int) -> str:
    return "1 module" if modules == 1 else f"{modules} modules"


def _list_names(categories: list[str]) -> str:
    names = [format_category(category) for category in categories]
    more = len(names) - _MAX_NAMES
    return ", ".join(names[:_MAX_NAMES]) + (f" and {more} more" if more > 0 else "")
