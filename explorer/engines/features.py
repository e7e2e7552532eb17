"""Features of all photos, computed with an engine."""

from dataclasses import dataclass

from explorer.config import ExplorerError, Steps
from explorer.engines.tasks import Engine, describe_failures, run_locally, run_tasks
from explorer.workspace.features import Features
from explorer.workspace.features_cache import STAGE
from explorer.workspace.workspace import Workspace


@dataclass(frozen=True)
class FeaturesTask:
    """Consecutive photos to pass through the network; `first` is the index of the first."""

    first: int

    @property
    def title(self) -> str:
        """Which photos they are, counted from 1."""
        return f"photos from number {self.first + 1:,} on"

    def execute(self, workspace: Workspace) -> None:
        """Compute their features and store them."""
        workspace.networks.features.compute_shard(self.first)


def compute_features(workspace: Workspace, engine: Engine) -> Steps[Features]:
    """Read the features of all photos, or compute them with an engine and store them.

    They are the same to the byte with every engine.

    Yields
    ------
    Progress
        One per shard, and one per batch.

    Raises
    ------
    ExplorerError
        When photos cannot be read, or when there are none and features are not stored.
    """
    store = workspace.networks.features
    if engine is run_locally:  # in this process, shards would only interrupt the decoding
        return (yield from store.load_or_compute())
    tasks = [FeaturesTask(first) for first in store.list_missing_shards()]
    outcomes = yield from run_tasks(workspace, tasks, engine, STAGE)
    # Another process may have completed the features, and removed what this one was writing.
    if outcomes.failed and store.list_missing_shards():
        raise ExplorerError(f"Not computed:\n{describe_failures(outcomes.failed)}")
    features = yield from store.load_or_compute()
    store.remove_shards()
    return features
