"""Independent tasks of a long computation, and the engine that runs them in this process."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from explorer.config import ExplorerError, Progress, Steps
from explorer.workspace.workspace import Workspace


class Task(Protocol):
    """Something to compute in a workspace, whose results are files. Can be pickled."""

    @property
    def title(self) -> str:
        """What it computes, in words for messages."""

    def execute(self, workspace: Workspace) -> None:
        """Compute and store the results; a repetition gives the same files.

        Raises
        ------
        ExplorerError
            When it fails.
        """


@dataclass(frozen=True)
class Outcome:
    """Result of a task: success, or the reason of its failure."""

    task: Task
    failure: str = ""


Engine = Callable[[Workspace, Sequence[Task]], Iterator[Outcome]]
"""Runs tasks, in any order. `run_locally` is one; see also
`explorer.engines.ray_engine.make_engine`."""


@dataclass(frozen=True)
class Outcomes:
    """The tasks that succeeded, and the outcomes of those that did not, as they finished."""

    done: tuple[Task, ...]
    failed: tuple[Outcome, ...]


def run_task(workspace: Workspace, task: Task) -> Outcome:
    """Run a task and report its failure."""
    try:
        task.execute(workspace)
    except (ExplorerError, OSError) as error:
        return Outcome(task, str(error))
    return Outcome(task)


def run_locally(workspace: Workspace, tasks: Sequence[Task]) -> Iterator[Outcome]:
    """Run tasks one after the other in this process."""
    for task in tasks:
        yield run_task(workspace, task)


def run_tasks(
    workspace: Workspace, tasks: Sequence[Task], engine: Engine, stage: str
) -> Steps[Outcomes]:
    """Run tasks with an engine; a failed task does not affect the others.

    Yields
    ------
    Progress
        One per finished task, with the number of failed tasks.
    """
    done: list[Task] = []
    failed: list[Outcome] = []
    for outcome in engine(workspace, tasks) if tasks else ():
        if outcome.failure:
            failed.append(outcome)
        else:
            done.append(outcome.task)
        count = len(done) + len(failed)
        yield Progress(stage, count, len(tasks), {"failed": len(failed)})
    return Outcomes(tuple(done), tuple(failed))


def run_all(
    workspace: Workspace, tasks: Sequence[Task], engine: Engine, stage: str, problem: str
) -> Steps[None]:
    """Run tasks as `run_tasks` does, and raise an error that names those that failed.

    Raises
    ------
    ExplorerError
        At the end, if tasks failed; the message begins with `problem`.
    """
    outcomes = yield from run_tasks(workspace, tasks, engine, stage)
    if outcomes.failed:
        raise ExplorerError(f"{problem}:\n{describe_failures(outcomes.failed)}")


def describe_failures(failed: Iterable[Outcome]) -> str:
    """List failed tasks and their reasons, one per line."""
    return "\n".join(f"{one.task.title}: {one.failure}" for one in failed)
