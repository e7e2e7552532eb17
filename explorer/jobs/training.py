"""What a job does: training and measuring a module for each of its categories."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from explorer.config import ExplorerError, Progress, map_steps
from explorer.jobs.types import Done, JobRequest
from explorer.measuring.module import measure_module
from explorer.methods.registry import build_module_settings
from explorer.training.modules.settings import TrainingSettings
from explorer.training.modules.train import train_module
from explorer.workspace.workspace import Workspace


def train(request: JobRequest, done: Done) -> Iterator[tuple[str, Progress]]:
    """Train and measure a module for each category; yield every step with its category.

    Parameters
    ----------
    request : JobRequest
        What to train.
    done : Done
        Filled in as categories are finished.

    Raises
    ------
    ExplorerError
        When the settings are not those of this version, or something cannot be trained.
    """
    try:
        module = build_module_settings(request.module)
        training = TrainingSettings(**request.training)
    except (TypeError, ExplorerError) as error:
        raise ExplorerError(
            "The settings are those of another version of the explorer. Choose them again and "
            "start another training."
        ) from error
    workspace = Workspace(Path(request.workspace), request.device)
    for category in request.categories:
        name = partial(_name, category)
        entry = yield from map_steps(train_module(workspace, category, module, training), name)
        done.trained.append(category)
        yield from map_steps(measure_module(workspace, entry), name)
        done.measured.append(category)


def _name(category: str, progress: Progress) -> tuple[str, Progress]:
    return category, progress
