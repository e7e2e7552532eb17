"""How a job ended, and how to go on, in words for whoever started it."""

import errno

from explorer.config import ExplorerError
from explorer.data.cub import format_category
from explorer.jobs.types import JobRequest

ENDED_FROM_OUTSIDE = (
    "The process was told to end from outside, as it happens when the machine is shut down. "
    "What was there before is untouched. Start the training again."
)
UNFORESEEN = "The training failed for a reason nobody has foreseen; the details are in its log."

_MOST_NAMES = 3
_FULL = (errno.ENOSPC, errno.EDQUOT)


def describe_finished(measured: list[str]) -> str:
    """Say that all is done."""
    return f"{_count(len(measured))} trained and measured."


def describe_cancelled(request: JobRequest, trained: list[str], measured: list[str]) -> str:
    """Say what a job that was stopped leaves behind.

    Parameters
    ----------
    request : JobRequest
        What was asked for.
    trained, measured : list of str
        Categories whose module is stored, and those of them that are measured as well.
    """
    return f"Stopped as asked. {describe_kept(request, trained, measured)}"


def describe_kept(request: JobRequest, trained: list[str], measured: list[str]) -> str:
    """Say what is finished, and that the rest is as it was."""
    sentences = []
    if measured:
        sentences.append(f"{_count(len(measured))} finished: {_list_names(measured)}.")
    sentences += [
        f"{format_category(name)} is trained but not measured."
        for name in trained
        if name not in measured
    ]
    if len(trained) < len(request.categories):
        sentences.append("What was there before is untouched.")
    return " ".join(sentences)


def describe_vanished(request: JobRequest) -> str:
    """Say that the workspace is gone."""
    return (
        f"The workspace {request.workspace} has vanished: it was moved or removed, or its disk is "
        "no longer there. Put it back and start the training again."
    )


def describe_failure(error: Exception, request: JobRequest) -> str:
    """Say what went wrong and how to go on."""
    if isinstance(error, ExplorerError):
        return str(error)
    if isinstance(error, MemoryError) or "out of memory" in str(error).lower():
        return (
            f"The memory is not enough ({request.device_words}). Close what else uses it, or "
            "choose a smaller batch size, smaller widths or another device, and start again."
        )
    if isinstance(error, OSError) and error.errno in _FULL:
        return "The disk is full. Free some space and start the training again."
    if isinstance(error, OSError):
        return f"{error}. Mend this and start the training again."
    return UNFORESEEN


def _count(modules: int) -> str:
    return "1 module" if modules == 1 else f"{modules} modules"


def _list_names(categories: list[str]) -> str:
    names = [format_category(category) for category in categories]
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
