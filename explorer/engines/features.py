"""Features of all photos, computed with an engine."""

from dataclasses import dataclass

from explorer.config import Steps
from explorer.engines.tasks import Engine, run_all, run_locally
from explorer.workspace.feature_shards import SHARD_PHOTOS
from explorer.workspace.features import Features
from explorer.workspace.workspace import Workspace


@dataclass(frozen=True)
class FeaturesTask:
    """Consecutive photos to pass through the network; `first` is the index of the first."""

    first: int

    @property
    def title(self) -> str:
        """Which photos they are, counted from 1."""
        return f"photos {self.first + 1:,} to {self.first + SHARD_PHOTOS:,}"

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
    if engine is not run_locally:  # in this process, shards would only interrupt the decoding
        tasks = [FeaturesTask(first) for first in workspace.networks.features.list_missing_shards()]
        stage = "Passing photos through the network"
        yield from run_all(workspace, tasks, engine, stage, "Not computed")
    return (yield from workspace.networks.compute_features())
