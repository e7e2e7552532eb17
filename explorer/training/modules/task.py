"""The training of one module as a task, for the engines of `explorer.engines`."""

from dataclasses import dataclass

from explorer.config import run
from explorer.nn.devices import limit_threads
from explorer.nn.losses import ModuleSettings
from explorer.training.modules.runs import name_run
from explorer.training.modules.settings import TrainingSettings
from explorer.training.modules.train import NotTrainedError, find_module, train_module
from explorer.workspace.layout import ModuleEntry, ModuleName
from explorer.workspace.workspace import Workspace

THREADS = 1  # the same everywhere, so that modules are the same to the byte


@dataclass(frozen=True)
class TrainingTask:
    """A module to train and store; a repetition gives the same file."""

    category: str
    module: ModuleSettings
    training: TrainingSettings

    @property
    def run(self) -> str:
        """The name of the module's run."""
        return name_run(self.module, self.training)

    @property
    def title(self) -> str:
        """Category and run."""
        return ModuleName(self.category, self.run).title

    def find(self, workspace: Workspace) -> ModuleEntry | None:
        """Return the module if it exists."""
        return find_module(workspace, self.category, self.module, self.training)

    def execute(self, workspace: Workspace) -> None:
        """Train and store the module, replacing an earlier one."""
        with limit_threads(THREADS):
            self.train(workspace)

    def train(self, workspace: Workspace) -> ModuleEntry:
        """Train and store the module with the threads that there are; return it.

        Raises
        ------
        ExplorerError
            When it cannot be trained.
        """
        try:
            return run(train_module(workspace, self.category, self.module, self.training))
        except NotTrainedError as error:
            raise error.reasons[self.category] from error
