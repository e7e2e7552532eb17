"""The work of a job: training and measuring a module for each of its categories."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from explorer.config import ExplorerError, Progress, map_steps
from explorer.jobs.types import CompletedModules, JobRequest
from explorer.measuring.module import measure_module
from explorer.methods.registry import build_module_settings
from explorer.training.modules.settings import TrainingSettings
from explorer.training.modules.train import train_module
from explorer.workspace.workspace import Workspace


def train(request: JobRequest, completed: CompletedModules) -> Iterator[tuple[str, Progress]]:
    """Train and measure a module for each category; yield every step with its category.

    Parameters
    ----------
    request : JobRequest
        What to train.
    completed : CompletedModules
        Filled in as modules are completed.

    Raises
    ------
    ExplorerError
        When the settings belong to another version, or a module cannot be trained.
    """
    try:
        module = build_module_settings(request.module)
        training = TrainingSettings(**request.training)
    except (TypeError, ExplorerError) as error:
        raise ExplorerError(
            "The settings are from another version of the explorer. Choose them again and start a "
            "new training."
        ) from error
    workspace = Workspace(Path(request.workspace), request.device)
    for category in request.categories:
        add_category = partial(_add_category, category)
        entry = yield from map_steps(
            train_module(workspace, category, module, training), add_category
        )
        completed.trained.append(category)
        yield from map_steps(measure_module(workspace, entry), add_category)
        completed.measured.append(category)


def _add_category(category: str, progress: Progress) -> tuple[str, Progress]:
    return category, progress
