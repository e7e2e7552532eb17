"""How a module is trained."""

from dataclasses import asdict, dataclass
from typing import Any

from explorer.config import ExplorerError, check_seed


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
        Epochs of the joint training without a lower loss on photos kept back from training (see
        `explorer.training.modules.rows.hold_out_validation`), after which a module is done; the
        weights of its best epoch are kept. 0 learns from all training photos to the last epoch.
    """

    epochs: int = 60
    pretrain_epochs: int = 10
    batch_size: int = 128
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    seed: int = 0
    patience: int = 0

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.pretrain_epochs < 0 or self.batch_size < 1:
            raise ExplorerError(
                "Epochs and batch size must be at least 1, pretraining epochs at least 0."
            )
        # Written so that NaN is refused as well.
        if not (self.learning_rate > 0 and self.weight_decay >= 0):
            raise ExplorerError("The learning rate must be above 0, weight decay at least 0.")
        if self.patience < 0:
            raise ExplorerError("The patience must be at least 0.")
        check_seed(self.seed)

    def describe(self) -> dict[str, Any]:
        """List the settings for a file; `patience` only where it does something.

        What was written before there was such a setting still tells the same training.
        """
        return {name: value for name, value in asdict(self).items() if name != "patience" or value}
