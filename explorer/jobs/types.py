"""What a job is: what it is asked to do, where it stands, and what its worker says of itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from explorer.config import ExplorerError


class JobError(ExplorerError):
    """A job that cannot be read, started or stopped; the message says what to do."""


class JobState(StrEnum):
    """Where a job stands."""

    WAITING = "waiting"
    RUNNING = "running"
    CANCELLING = "cancelling"
    FINISHED = "finished"
    CANCELLED = "cancelled"
    FAILED = "failed"
    DIED = "died"

    @property
    def is_live(self) -> bool:
        """Whether there is, or is about to be, a process behind it."""
        return self in (JobState.WAITING, JobState.RUNNING, JobState.CANCELLING)


@dataclass(frozen=True)
class JobRequest:
    """What a job is asked to do.

    Attributes
    ----------
    workspace : str
        Absolute path of the workspace.
    categories : tuple of str
        As in ``classes.txt``; trained in this order.
    run : str
        Name that `explorer.training.modules.runs.name_run` gives the modules.
    module, training : Mapping
        What `ModuleSettings.describe` lists, and the fields of `TrainingSettings`.
    device : str
        A name for `explorer.nn.devices.choose_device`, never ``auto``.
    device_key : str
        Names the very card. Jobs with the same key wait for one another.
    device_words : str
        The device in words.
    created : float
        Seconds since 1970.
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

    def __post_init__(self) -> None:
        if not self.categories:
            raise ValueError("it names no category")


@dataclass(frozen=True)
class JobStatus:
    """What a worker says of itself.

    Attributes
    ----------
    state : JobState
        Never ``cancelling`` or ``died``: these others find out.
    message : str
        How it ended and how to go on.
    category, stage : str
        What is being done.
    done, total : int
        Steps of this stage.
    measured : tuple of str
        Categories whose modules are trained and measured.
    seconds_left : float or None
        Of the whole job; None where it cannot be told yet.
    pid : int
        Process of the worker.
    started, updated : float
        Seconds since 1970: when the device was free, and when this was written.
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

    def __post_init__(self) -> None:
        if self.state in (JobState.CANCELLING, JobState.DIED):
            raise ValueError(f"a worker never says that it is {self.state}")


@dataclass
class Done:
    """What a job has finished so far: categories whose module is stored, and measured."""

    trained: list[str] = field(default_factory=list)
    measured: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Job:
    """A job as it was found on disk.

    Attributes
    ----------
    folder : Path
        Its folder, whose name sorts by time.
    request : JobRequest
        What is asked for.
    status : JobStatus
        The worker's last word.
    state : JobState
        Where it stands, whatever the worker's last word was.
    message : str
        How it ended and how to go on; empty while it lives.
    """

    folder: Path
    request: JobRequest
    status: JobStatus
    state: JobState
    message: str = ""

    @property
    def id(self) -> str:
        """Name of its folder."""
        return self.folder.name

    @property
    def share_done(self) -> float:
        """How much of the job is done, in [0, 1]; a category counts the same as any other."""
        stage = self.status.done / self.status.total if self.status.total else 0.0
        count = len(self.request.categories)
        return min(1.0, (len(self.status.measured) + min(stage, 1.0)) / count)
