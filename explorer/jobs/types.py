"""Types of jobs: request, status and state."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from explorer.config import ExplorerError


class JobError(ExplorerError):
    """A job that cannot be read, started or stopped; the message says what to do."""


class JobState(StrEnum):
    """State of a job."""

    WAITING = "waiting"
    RUNNING = "running"
    CANCELLING = "cancelling"
    FINISHED = "finished"
    CANCELLED = "cancelled"
    FAILED = "failed"
    DIED = "died"

    @property
    def is_live(self) -> bool:
        """Whether the job has a process, or is about to get one."""
        return self in (JobState.WAITING, JobState.RUNNING, JobState.CANCELLING)


@dataclass(frozen=True)
class JobRequest:
    """What a job is to train, or where it is to fetch the photos to.

    Attributes
    ----------
    workspace : str
        Absolute path of the workspace; empty when photos are fetched.
    categories : tuple of str
        As in ``classes.txt``, in the order of training.
    run : str
        Name of the modules' runs, from `explorer.training.modules.runs.name_run`.
    module, training : Mapping
        From `ModuleSettings.describe`, and the fields of `TrainingSettings`.
    device : str
        A name for `explorer.nn.devices.choose_device`, never ``auto``.
    device_key : str
        Identifies the device. Jobs with the same key wait for each other.
    device_words : str
        Description of the device.
    created : float
        Seconds since 1970.
    fetches_to : str
        Absolute path of the folder that CUB-200-2011 is fetched to; empty for a training.
    """

    workspace: str
    categories: tuple[str, ...]
    run: str
    module: Mapping[str, Any]
    training: Mapping[str, Any]
    device: str = "cpu"
    device_key: str = "cpu"
    device_words: str = "CPU"
    created: float = 0.0
    fetches_to: str = ""

    def __post_init__(self) -> None:
        if not self.categories and not self.fetches_to:
            raise ValueError("it has no categories")


@dataclass(frozen=True)
class JobStatus:
    """What the worker reports about a job.

    Attributes
    ----------
    state : JobState
        Never ``cancelling`` or ``died``, which are determined when a job is read.
    message : str
        How the job ended and what to do next.
    category, stage : str
        The current category, and what is being done for it.
    done, total : int
        Finished and total steps of this stage.
    measured : tuple of str
        Categories whose modules are trained and measured.
    seconds_left : float or None
        Estimate for the whole job; None if unknown.
    pid : int
        Process id of the worker.
    started, updated : float
        When the device became free, and when the status was written, in seconds since 1970.
    detail : str
        Where in the stage the training is, such as ``"epoch 12 of 60"``; may be empty.
    """

    state: JobState = JobState.WAITING
    message: str = ""
    category: str = ""
    stage: str = ""
    done: int = 0
    total: int = 0
    measured: tuple[str, ...] = ()
    seconds_left: float | None = None
    pid: int = 0
    started: float = 0.0
    updated: float = 0.0
    detail: str = ""

    def __post_init__(self) -> None:
        if self.state in (JobState.CANCELLING, JobState.DIED):
            raise ValueError(f"a worker never reports the state {self.state}")


@dataclass
class CompletedModules:
    """Categories whose modules a job has trained and stored, and measured."""

    trained: list[str] = field(default_factory=list)
    measured: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Job:
    """A job as read from disk.

    Attributes
    ----------
    folder : Path
        Its folder. Folder names sort by time.
    request : JobRequest
        What to train.
    status : JobStatus
        The last status that the worker wrote.
    state : JobState
        The actual state, which may differ from that of the status.
    message : str
        How the job ended and what to do next; empty before that.
    """

    folder: Path
    request: JobRequest
    status: JobStatus
    state: JobState
    message: str = ""

    @property
    def id(self) -> str:
        """Name of the folder."""
        return self.folder.name

    @property
    def fraction_done(self) -> float:
        """Finished fraction of the job, in [0, 1], with equal weights for all categories."""
        stage = self.status.done / self.status.total if self.status.total else 0.0
        count = max(1, len(self.request.categories))
        return min(1.0, (len(self.status.measured) + min(stage, 1.0)) / count)
