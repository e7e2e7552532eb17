"""Training of one explanation module, as a generator of progress records."""

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from explorer.config import ExplorerError, Progress, check_seed
from explorer.nn.srae import ExplanationModule, Loss, ModuleSettings, compute_loss
from explorer.training.initialisation import (
    centre_biases,
    fit_v,
    initialise_v,
    revive_x_features,
)


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
        Of Adam, falling to zero along a half cosine.
    weight_decay : float
        L2 penalty inside Adam.
    seed : int
        Of the initial weights, the order of the photos, and the split.
    """

    epochs: int = 60
    pretrain_epochs: int = 10
    batch_size: int = 128
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    seed: int = 0

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.pretrain_epochs < 0 or self.batch_size < 1:
            raise ExplorerError(
                "Epochs and batch size must be at least 1, pretraining epochs at least 0."
            )
        # Written so that NaN is refused as well.
        if not (self.learning_rate > 0 and self.weight_decay >= 0):
            raise ExplorerError("The learning rate must be above 0, weight decay at least 0.")
        check_seed(self.seed)


@dataclass(frozen=True, eq=False)
class TrainingData:
    """The photos of one split, as the classifier sees them.

    Attributes
    ----------
    z : Tensor
        (M, S_z) float32, >= 0.
    y_hat : Tensor
        (M,) float32: the category's logit.
    is_positive : Tensor
        (M,) bool: photos of the category.
    """

    z: Tensor
    y_hat: Tensor
    is_positive: Tensor

    @classmethod
    def from_arrays(
        cls,
        z: NDArray[np.float32],
        y_hat: NDArray[np.float32],
        is_positive: NDArray[np.bool_],
        device: torch.device,
    ) -> "TrainingData":
        """Copy arrays (memory-mapped ones too) to `device`."""
        arrays = (np.array(z), np.array(y_hat), np.array(is_positive))
        return cls(*(torch.from_numpy(array).to(device) for array in arrays))


def train_module(
    train: TrainingData,
    test: TrainingData,
    module_settings: ModuleSettings,
    settings: TrainingSettings,
) -> Generator[Progress, None, ExplanationModule]:
    """Train an explanation module for one category.

    `test` is only measured, never learned from or selected on: the last epoch's weights are kept.

    Yields
    ------
    Progress
        One per epoch, with the mean terms of the loss and F_reg on train and test photos.

    Returns
    -------
    ExplanationModule
        On the CPU, in evaluation mode.

    Raises
    ------
    ExplorerError
        When the loss is no longer finite.

    Notes
    -----
    The same seed on the same machine gives the same weights. The global random state is left
    alone. X-features that die in the first half of the joint training are revived (see
    `revive_x_features`); later ones are left to what the loss makes of them.
    """
    generator = torch.Generator().manual_seed(settings.seed)
    module = ExplanationModule(train.z.shape[1], module_settings, generator).to(train.z.device)
    fit = _Fit(settings, generator, len(train.z))
    stage, parameters, compute_terms = _get_stage(module, train)
    pretrain_total = settings.pretrain_epochs * len(_get_linears(module.encoder))
    total = pretrain_total + settings.epochs
    is_joint = module_settings.method != "sae"
    done = 0
    for error in _pretrain_layers(module, train.z, fit):
        done += 1
        yield Progress("Pretraining layer by layer", done, total, {"reconstruction": error})
    if pretrain_total:
        initialise_v(module, train.z, train.y_hat, train.is_positive)
    for loss in fit.run(parameters, compute_terms, settings.epochs):
        done += 1
        if not np.isfinite(loss["total"]):
            raise ExplorerError(
                "The loss is no longer finite. Lower the learning rate, β or q and try again."
            )
        if not is_joint:
            fit_v(module, train.z, train.y_hat)
        values = loss | {
            "f_reg_train": compute_f_reg(module, train),
            "f_reg_test": compute_f_reg(module, test),
        }
        yield Progress(stage, done, total, values)
        if is_joint and done < pretrain_total + settings.epochs // 2:
            revive_x_features(module, train.z, train.y_hat)
    return module.cpu().eval().requires_grad_(False)


@torch.no_grad()
def compute_f_reg(module: ExplanationModule, data: TrainingData) -> float:
    """Compute the paper's F_reg: the mean of |ȳ − ŷ|, in units of the logit."""
    return float((module(data.z).y_bar - data.y_hat).abs().mean())


@dataclass(frozen=True, eq=False)
class _Fit:
    """One run of Adam over all photos, for whatever loss it is given."""

    settings: TrainingSettings
    generator: torch.Generator
    count: int

    def run(
        self,
        parameters: list[nn.Parameter],
        compute_terms: Callable[[Tensor], Loss],
        epochs: int,
    ) -> Iterator[dict[str, float]]:
        """Yield, after every epoch, the mean of each loss term over its batches."""
        batches = -(-self.count // self.settings.batch_size)
        optimiser = torch.optim.Adam(
            parameters, lr=self.settings.learning_rate, weight_decay=self.settings.weight_decay
        )
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(1, epochs * batches))
        for _ in range(epochs):
            sums = dict.fromkeys(Loss._fields, 0.0)
            order = torch.randperm(self.count, generator=self.generator)
            for rows in order.split(self.settings.batch_size):
                terms = compute_terms(rows)
                optimiser.zero_grad()
                terms.total.backward()
                optimiser.step()
                schedule.step()
                for name, term in terms._asdict().items():
                    sums[name] += float(term.detach()) / batches
            yield sums


def _get_linears(stack: nn.Sequential) -> list[nn.Linear]:
    return [layer for layer in stack if isinstance(layer, nn.Linear)]


def _pretrain_layers(module: ExplanationModule, z: Tensor, fit: _Fit) -> Iterator[float]:
    """Train each encoder layer with its mirror in the decoder to rebuild its own input.

    Greedy layer-wise pretraining (Bengio et al., 2007). The plain mean squared error is used: at
    this stage no dimension of Z is to be given up yet.
    """
    if not fit.settings.pretrain_epochs:
        return
    inputs = z
    pairs = zip(_get_linears(module.encoder), _get_linears(module.decoder)[::-1], strict=True)
    for encode, decode in pairs:
        centre_biases(encode, inputs)

        def compute_terms(
            rows: Tensor,
            encode: nn.Linear = encode,
            decode: nn.Linear = decode,
            inputs: Tensor = inputs,
        ) -> Loss:
            batch = inputs[rows]
            return _as_loss((decode(encode(batch).relu()).relu() - batch).square().mean())

        parameters = [*encode.parameters(), *decode.parameters()]
        for terms in fit.run(parameters, compute_terms, fit.settings.pretrain_epochs):
            yield terms["total"]
        with torch.no_grad():
            inputs = encode(inputs).relu()


_Stage = tuple[str, list[nn.Parameter], Callable[[Tensor], Loss]]


def _get_stage(module: ExplanationModule, train: TrainingData) -> _Stage:
    """Return what is trained after pretraining: everything, or for SAE the autoencoder alone."""

    def compute_joint(rows: Tensor) -> Loss:
        z = train.z[rows]
        return compute_loss(module(z), z, train.y_hat[rows], module.settings)

    def compute_autoencoder(rows: Tensor) -> Loss:
        z = train.z[rows]
        return _as_loss((module.decoder(module.encoder(z)) - z).square().mean())

    if module.settings.method != "sae":
        return "Training", list(module.parameters()), compute_joint
    encoder_decoder = [*module.encoder.parameters(), *module.decoder.parameters()]
    return "Training the autoencoder", encoder_decoder, compute_autoencoder


def _as_loss(error: Tensor) -> Loss:
    """Wrap a plain reconstruction error as a loss with this one term."""
    zero = torch.zeros((), device=error.device)
    return Loss(error, zero, error, zero)
