"""Settings of training a module."""

from dataclasses import asdict, dataclass
from typing import Any

from explorer.config import MAX_SEED
from explorer.settings.declaring import check_settings, setting


@dataclass(frozen=True)
class TrainingSettings:
    """Settings of training a module.

    Attributes
    ----------
    epochs : int
        Passes over the training photos in the joint training of eq. (1).
    pretrain_epochs : int
        Passes over the photos per layer of the layer-wise pretraining; 0 for no pretraining.
    batch_size : int
        Photos per step; the means in eq. (1) are taken over the batch.
    learning_rate : float
        Initial learning rate of Adam, which falls to zero along a half cosine over all `epochs`.
    weight_decay : float
        L2 penalty in Adam.
    seed : int
        Seed of the initial weights, the order of the photos and the split.
    patience : int
        Number of epochs of the joint training without a lower validation loss (see
        `explorer.training.modules.rows.hold_out_validation`) after which a module is finished, with
        the weights of its best epoch. 0 trains on all photos up to the last epoch.
    """

    epochs: int = setting(60, "Number of passes over the training photos.", low=1, high=1_000_000)
    pretrain_epochs: int = setting(
        10,
        "Passes over the photos to pretrain each layer; 0 for no pretraining.",
        label="Pretraining",
        low=0,
        high=100_000,
        is_advanced=True,
    )
    batch_size: int = setting(
        128,
        "Photos per step. A smaller batch takes less memory.",
        low=1,
        high=65_536,
        is_advanced=True,
    )
    learning_rate: float = setting(
        1e-3,
        "Initial learning rate, which falls to zero over all epochs.",
        above=0,
        high=1,
        is_advanced=True,
    )
    weight_decay: float = setting(
        1e-4, "Pulls weights towards zero; 0 for none.", low=0, high=1, is_advanced=True
    )
    seed: int = setting(
        0,
        "Seed of the initial weights, the order of the photos and the choice of test photos. The "
        "same seed gives the same module.",
        low=0,
        high=MAX_SEED,
    )
    patience: int = setting(
        0,
        "Stop after this many epochs without progress on a tenth of the training photos, which is "
        "held out; 0 trains to the last epoch.",
        low=0,
        high=1_000_000,
        is_advanced=True,
    )

    def __post_init__(self) -> None:
        check_settings(self)

    def describe(self) -> dict[str, Any]:
        """List the settings for a file, without `patience` if it is 0, as in older files."""
        return {name: value for name, value in asdict(self).items() if name != "patience" or value}
