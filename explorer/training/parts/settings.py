"""Settings of training a part finder."""

from dataclasses import dataclass

from explorer.config import MAX_SEED
from explorer.settings.declaring import check_settings, setting
from explorer.training.classifier.precision import AUTO, PRECISIONS


@dataclass(frozen=True)
class PartSettings:
    """Settings of training a part finder.

    Attributes
    ----------
    layer : str
        Layer of the classifier that it reads; empty to choose by
        `explorer.nn.part_finder.choose_layer`.
    width : int
        Channels of its own layers.
    epochs, patience : int
        Most passes over the training photos, and after how many without a better one it ends.
    batch_size, seed : int
        Photos per step, and random seed.
    learning_rate, weight_decay : float
        Of AdamW; the rate falls to zero along half a cosine.
    validation_share : float
        Share of the training photos on which the best epoch is chosen.
    precision : str
        A name in `explorer.training.classifier.precision.PRECISIONS`.
    """

    layer: str = setting(
        "", "Layer of the network that parts are found on.", default_text="pool4 of VGG16"
    )
    width: int = setting(128, "Channels of the part finder.", low=1, high=1024)
    epochs: int = setting(30, "Most passes over the training photos.", low=1, high=100_000)
    patience: int = setting(
        6, "Epochs without a better one after which training ends.", low=1, high=100_000
    )
    batch_size: int = setting(32, "Photos per step.", low=1, high=65_536)
    seed: int = setting(0, "Random seed.", low=0, high=MAX_SEED)
    learning_rate: float = setting(2e-3, "First learning rate.", above=0, high=10)
    weight_decay: float = setting(0.02, "Pulls weights towards zero.", low=0, high=10)
    validation_share: float = setting(
        0.1, "Share of the training photos on which the best epoch is chosen.", above=0, below=1
    )
    precision: str = setting(AUTO, "Number format of mixed precision.", choices=PRECISIONS)

    def __post_init__(self) -> None:
        check_settings(self)


DEFAULT_PARTS = PartSettings()
