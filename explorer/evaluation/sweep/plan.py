"""Sweeps: a separately trained module for each category, method, setting and seed."""

from dataclasses import dataclass, replace

from explorer.config import ExplorerError, Steps, run
from explorer.engines.features import compute_features
from explorer.engines.tasks import (
    Engine,
    Outcomes,
    Task,
    describe_failures,
    run_locally,
    run_tasks,
)
from explorer.measuring.module import measure_module
from explorer.measuring.records import load_module_measures
from explorer.methods.base import TrainedMethod
from explorer.nn.devices import limit_threads
from explorer.storage.writing import refuse_if_public
from explorer.training.modules.task import THREADS, TrainingTask
from explorer.workspace.workspace import Workspace


@dataclass(frozen=True)
class SweepSettings:
    """What to train.

    Attributes
    ----------
    categories : tuple of str
        Categories, as in ``classes.txt``.
    methods : tuple of TrainedMethod
        Methods, from `explorer.methods.registry.get_trained_methods`.
    seeds : tuple of int
        Seeds, which replace those of the methods' training settings.
    missing : bool
        Skip modules that exist and are measured.
    """

    categories: tuple[str, ...]
    methods: tuple[TrainedMethod, ...]
    seeds: tuple[int, ...] = (0,)
    missing: bool = False

    def __post_init__(self) -> None:
        if not (self.categories and self.methods and self.seeds):
            raise ExplorerError("Name at least one category, one method and one seed.")


@dataclass(frozen=True)
class SweepTask(TrainingTask):
    """A module to train and measure, or only to measure if `missing` is set and it exists."""

    missing: bool = False

    def execute(self, workspace: Workspace) -> None:
        """Train, store and measure the module."""
        with limit_threads(THREADS):
            entry = self.find(workspace) if self.missing else None
            run(measure_module(workspace, entry or self.train(workspace)))


class SweepError(ExplorerError):
    """Some tasks failed; the message names the category, run and reason of each.

    Attributes
    ----------
    done : tuple of Task
        The tasks of the same sweep that succeeded.
    """

    def __init__(self, outcomes: Outcomes) -> None:
        super().__init__(f"Not trained and measured:\n{describe_failures(outcomes.failed)}")
        self.done = outcomes.done


def list_tasks(workspace: Workspace, settings: SweepSettings) -> tuple[SweepTask, ...]:
    """List the tasks of a sweep by method, seed and category, each module once."""
    tasks = [
        SweepTask(category, method.settings, replace(method.training, seed=seed), settings.missing)
        for method in settings.methods
        for seed in settings.seeds
        for category in settings.categories
    ]
    return tuple(task for task in dict.fromkeys(tasks) if not _is_done(workspace, task))


def _is_done(workspace: Workspace, task: SweepTask) -> bool:
    entry = task.find(workspace) if task.missing else None
    try:
        return entry is not None and load_module_measures(workspace, entry) is not None
    except ExplorerError:  # damaged, so it has to be measured again
        return False


def sweep_modules(
    workspace: Workspace, settings: SweepSettings, engine: Engine = run_locally
) -> Steps[tuple[Task, ...]]:
    """Train, store and measure a module for each category, method and seed.

    Parameters
    ----------
    workspace : Workspace
        The workspace, whose features are computed before the first task.
    settings : SweepSettings
        What to train.
    engine : Engine
        Runs the tasks. With every engine the modules are the same to the byte.

    Yields
    ------
    Progress
        One per finished task, with the number of failed tasks.

    Returns
    -------
    tuple of Task
        The tasks, in the order in which they finished.

    Raises
    ------
    SweepError
        At the end, if tasks failed.
    PublicError
        On a public server.
    """
    refuse_if_public()
    yield from compute_features(workspace, engine)
    tasks = list_tasks(workspace, settings)
    outcomes = yield from run_tasks(workspace, tasks, engine, "Training modules")
    if outcomes.failed:
        raise SweepError(outcomes)
    return outcomes.done
