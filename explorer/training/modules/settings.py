"""Settings of training a module."""

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

from explorer.config import MAX_SEED
from explorer.settings.declaring import check_settings, setting

VALIDATION_SHARE = 0.1
"""Share of the training photos that are held out where a training may stop early."""

PASS_PHOTOS = 2_688
"""The most photos over which all epochs are run, 21 batches of 128."""

_MAX_RATE = 1


@dataclass(frozen=True)
class TrainingSettings:
    """Settings of training a module.

    Attributes
    ----------
    epochs : int
        Passes over the training photos in the joint training of eq. (1); see `shorten`.
    pretrain_epochs : int
        The same per layer of the layer-wise pretraining; 0 for no pretraining.
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

    epochs: int = setting(
        60,
        f"Number of passes over the training photos; fewer over more than {PASS_PHOTOS:,} photos, "
        "so that the number of steps is the same.",
        low=1,
        high=1_000_000,
    )
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
        high=_MAX_RATE,
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

    def shorten(self, photos: int) -> "TrainingSettings":
        """Return the settings for a number of training photos, with the passes that they need.

        What a module learns depends on the number of steps rather than of passes. So over more than
        2,688 photos there are proportionally fewer passes: as many steps as over 2,688. They start
        with a higher learning rate, at most twice the one that was chosen. Numbers of photos with
        the same number of batches give the same settings.
        """
        full_batches = (photos - 1) // self.batch_size
        share = min(1.0, PASS_PHOTOS / (full_batches * self.batch_size + 1))
        epochs, pretrain = (math.ceil(share * n) for n in (self.epochs, self.pretrain_epochs))
        rate = min(self.learning_rate / max(share, 0.5), _MAX_RATE)
        return replace(self, epochs=epochs, pretrain_epochs=pretrain, learning_rate=rate)

    def describe(self) -> dict[str, Any]:
        """List the settings for a file, without `patience` if it is 0, as in older files."""
        return {name: value for name, value in asdict(self).items() if name != "patience" or value}
