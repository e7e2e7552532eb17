"""How a module is trained."""

from dataclasses import asdict, dataclass
from typing import Any

from explorer.config import MOST_SEED
from explorer.settings.declaring import check_settings, setting


@dataclass(frozen=True)
class TrainingSettings:
    """How a module is trained.

    Attributes
    ----------
    epochs : int
        Passes over the training photos in the joint training of eq. (1).
    pretrain_epochs : int
        Passes per layer of the layer-wise pretraining; 0 leaves it out.
    batch_size : int
        Photos per step; the means in eq. (1) are taken over the batch.
    learning_rate : float
        Of Adam, falling to zero along a half cosine over all `epochs`.
    weight_decay : float
        L2 penalty inside Adam.
    seed : int
        Of the initial weights, the order of the photos, and the split.
    patience : int
        Epochs of the joint training without a lower loss on validation photos (see
        `explorer.training.modules.rows.hold_out_validation`) after which a module is finished; the
        weights of its best epoch are kept. 0 trains on all photos up to the last epoch.
    """

    epochs: int = setting(
        60, "How often the training goes through all its photos.", low=1, high=1_000_000
    )
    pretrain_epochs: int = setting(
        10,
        "Passes over the photos for each layer by itself beforehand; 0 leaves pretraining out.",
        label="Pretraining",
        low=0,
        high=100_000,
        is_rare=True,
    )
    batch_size: int = setting(
        128, "Photos per step. Smaller takes less memory.", low=1, high=65_536, is_rare=True
    )
    learning_rate: float = setting(
        1e-3,
        "Size of the first steps; it falls to zero until the last epoch.",
        above=0,
        high=1,
        is_rare=True,
    )
    weight_decay: float = setting(
        1e-4, "Pulls weights towards zero; 0 leaves them alone.", low=0, high=1, is_rare=True
    )
    seed: int = setting(
        0,
        "Of the initial weights, the order of the photos and the draw of test photos. The same "
        "seed gives the same module.",
        low=0,
        high=MOST_SEED,
    )
    patience: int = setting(
        0,
        "Stop after so many epochs without progress on a tenth of the training photos, which is "
        "kept back; 0 goes on to the last epoch.",
        low=0,
        high=1_000_000,
        is_rare=True,
    )

    def __post_init__(self) -> None:
        check_settings(self)

    def describe(self) -> dict[str, Any]:
        """List the settings for a file; `patience` only where it has an effect.

        Files that are older than this setting then still describe the same training.
        """
        return {name: value for name, value in asdict(self).items() if name != "patience" or value}
