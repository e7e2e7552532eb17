"""What a training will do, told before it starts."""

from dataclasses import dataclass

from explorer.data.splits import draw_module_split
from explorer.training.modules.settings import VALIDATION_SHARE, TrainingSettings
from explorer.workspace.workspace import Workspace


@dataclass(frozen=True)
class TrainingPlan:
    """The training of one category's module.

    Attributes
    ----------
    photos : int
        Number of photos to train on.
    training : TrainingSettings
        The settings for that many photos; see `TrainingSettings.shorten`.
    """

    photos: int
    training: TrainingSettings


def plan_training(workspace: Workspace, category: str, training: TrainingSettings) -> TrainingPlan:
    """Plan the training of a category's module without loading the network.

    Where some photos are held out to stop early, their number is estimated.

    Raises
    ------
    ExplorerError
        When the category has too few photos.
    """
    split = draw_module_split(workspace.dataset, category, workspace.held_out, training.seed)
    share = 1 - VALIDATION_SHARE if training.patience else 1
    photos = max(1, round(share * len(split.train)))
    return TrainingPlan(photos, training.shorten(photos))
