"""Sweeps: a separately trained module for each category, method, setting and seed."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from explorer.config import ExplorerError, Progress, Steps, run
from explorer.measuring.module import measure_module
from explorer.measuring.records import ModuleMeasures, load_module_measures
from explorer.methods.base import TrainedMethod
from explorer.nn.devices import limit_threads
from explorer.nn.losses import ModuleSettings
from explorer.storage.writing import refuse_if_public
from explorer.training.modules.runs import name_run
from explorer.training.modules.settings import TrainingSettings
from explorer.training.modules.train import NotTrainedError, find_module, train_module
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace

_THREADS = 1  # the same everywhere, so that modules are the same to the byte


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
class SweepTask:
    """A module to train and measure, or only to measure if `missing` is set and it exists."""

    category: str
    module: ModuleSettings
    training: TrainingSettings
    missing: bool = False

    @property
    def run(self) -> str:
        """The name of the module's run."""
        return name_run(self.module, self.training)


@dataclass(frozen=True)
class Outcome:
    """Result of a task: success, or the reason of its failure."""

    task: SweepTask
    failure: str = ""


Engine = Callable[[Workspace, Sequence[SweepTask]], Iterator[Outcome]]


class SweepError(ExplorerError):
    """Some tasks failed; the message names the category, run and reason of each.

    Attributes
    ----------
    done : tuple of SweepTask
        The tasks of the same sweep that succeeded.
    """

    def __init__(self, failed: Iterable[Outcome], done: Iterable[SweepTask]) -> None:
        lines = [f"{one.task.category}, {one.task.run}: {one.failure}" for one in failed]
        super().__init__("Not trained and measured:\n" + "\n".join(lines))
        self.done = tuple(done)


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
    entry = _find_module(workspace, task)
    try:
        return entry is not None and load_module_measures(workspace, entry) is not None
    except ExplorerError:  # damaged, so it has to be measured again
        return False


def _find_module(workspace: Workspace, task: SweepTask) -> ModuleEntry | None:
    if not task.missing:
        return None
    return find_module(workspace, task.category, task.module, task.training)


def sweep_locally(workspace: Workspace, tasks: Sequence[SweepTask]) -> Iterator[Outcome]:
    """Run the tasks one after the other in this process."""
    for task in tasks:
        yield run_task(workspace, task)


def run_task(workspace: Workspace, task: SweepTask) -> Outcome:
    """Train, store and measure a module; a repetition gives the same files."""
    try:
        with limit_threads(_THREADS):
            run(_train_and_measure(workspace, task))
    except NotTrainedError as error:
        return Outcome(task, str(error.reasons[task.category]))
    except (ExplorerError, OSError) as error:
        return Outcome(task, str(error))
    return Outcome(task)


def _train_and_measure(workspace: Workspace, task: SweepTask) -> Steps[ModuleMeasures]:
    entry = _find_module(workspace, task)
    if entry is None:
        entry = yield from train_module(workspace, task.category, task.module, task.training)
    return (yield from measure_module(workspace, entry))


def sweep_modules(
    workspace: Workspace, settings: SweepSettings, engine: Engine = sweep_locally
) -> Steps[tuple[SweepTask, ...]]:
    """Train, store and measure a module for each category, method and seed.

    Parameters
    ----------
    workspace : Workspace
        The workspace, whose features are computed before the first task.
    settings : SweepSettings
        What to train.
    engine : Engine
        Runs the tasks, in any order: `sweep_locally` or one from
        `explorer.evaluation.sweep.ray_engine.make_engine`. The modules are the same.

    Yields
    ------
    Progress
        One per finished task, with the number of failed tasks.

    Returns
    -------
    tuple of SweepTask
        The tasks, in the order in which they finished.

    Raises
    ------
    SweepError
        At the end, if tasks failed.
    PublicError
        On a public server.
    """
    refuse_if_public()
    yield from workspace.networks.compute_features()
    tasks = list_tasks(workspace, settings)
    done: list[SweepTask] = []
    failed: list[Outcome] = []
    for outcome in engine(workspace, tasks) if tasks else ():
        if outcome.failure:
            failed.append(outcome)
        else:
            done.append(outcome.task)
        count = len(done) + len(failed)
        yield Progress("Training modules", count, len(tasks), {"failed": len(failed)})
    if failed:
        raise SweepError(failed, done)
    return tuple(done)
