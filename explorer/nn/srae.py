"""The Sparse Reconstruction Autoencoder (SRAE) and the loss that trains it.

Qi & Li, "Learning Explainable Embeddings for Deep Networks" (2017), eq. (1).
"""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from explorer.config import ExplorerError

METHODS = ("srae", "nn", "sae", "jointsae")
_PUBLIC_Z_SIZE = 4096
_PUBLIC_WIDTHS = (800, 100)


@dataclass(frozen=True)
class ModuleSettings:
    """Shape and loss of an explanation module.

    The paper prints neither widths nor β nor q; the defaults follow public code derived from the
    authors' (4096-800-100-5-100-800-4096, q = 100).

    Attributes
    ----------
    method : {"srae", "nn", "sae", "jointsae"}
        ``srae`` is the paper's method. ``nn`` has no reconstruction term in its loss; where
        layers are pretrained, it starts from the same pretrained layers as the others. ``sae`` is
        a conventional stacked autoencoder: a plain mean squared reconstruction of all of Z, then
        the least-squares v on top of the finished encoder. ``jointsae`` is SRAE without the log:
        plain mean squared reconstruction of all of Z, trained together with ȳ.
    x_features : int
        Number of x-features.
    widths : tuple of int
        Hidden widths of the encoder from Z downwards; the decoder mirrors them. Empty: scaled
        from the public code's with the size of Z.
    beta : float
        Weight of the sparse reconstruction term, >= 0.
    q : float
        Sparsity of the log penalty, > 0.
    pull_away : float
        Weight of the pull-away term, >= 0; 0 is the 2017 paper.
    """

    method: str = "srae"
    x_features: int = 5
    widths: tuple[int, ...] = ()
    beta: float = 1.0
    q: float = 100.0
    pull_away: float = 0.0

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ExplorerError(
                f"Unknown method {self.method!r}. Choose one of: {', '.join(METHODS)}."
            )
        if self.x_features < 1 or any(width < 1 for width in self.widths):
            raise ExplorerError("The number of x-features and every width must be at least 1.")
        # Written so that NaN is refused as well.
        if not (self.beta >= 0 and self.q > 0 and self.pull_away >= 0):
            raise ExplorerError("β and the pull-away weight must be at least 0, and q above 0.")


def scale_widths(settings: ModuleSettings, z_size: int) -> ModuleSettings:
    """Fill in the widths that are left open, in proportion to the size of Z.

    The last hidden layer keeps at least four times the x-features, so that a small Z does not
    squeeze them twice.
    """
    if settings.widths:
        return settings
    first, second = (round(width * z_size / _PUBLIC_Z_SIZE) for width in _PUBLIC_WIDTHS)
    narrowest = 4 * settings.x_features
    return replace(settings, widths=(max(first, narrowest), max(second, narrowest)))


class ModuleOutputs(NamedTuple):
    """What a module makes of a batch of Z.

    Attributes
    ----------
    x_features : Tensor
        (M, K), >= 0.
    y_bar : Tensor
        (M,), signed, in units of the classifier's logit.
    z_reconstructed : Tensor
        (M, S_z), >= 0.
    """

    x_features: Tensor
    y_bar: Tensor
    z_reconstructed: Tensor


class ExplanationModule(nn.Module):
    """Z to x-features E(Z), to ȳ = vᵀE and to a reconstruction of Z; ReLU everywhere.

    Parameters
    ----------
    z_size : int
        Dimensions of Z.
    settings : ModuleSettings
        Shape of the module; open widths are scaled.
    generator : torch.Generator, optional
        Source of the initial weights; the global one is left alone where it is given.
    """

    def __init__(
        self, z_size: int, settings: ModuleSettings, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        self.settings = scale_widths(settings, z_size)
        sizes = [z_size, *self.settings.widths, self.settings.x_features]
        # Layers draw weights of their own from the global generator, except on the meta device.
        with contextlib.nullcontext() if generator is None else torch.device("meta"):
            self.encoder = _stack_layers(sizes)
            self.v = nn.Linear(self.settings.x_features, 1, bias=False)
            self.decoder = _stack_layers(sizes[::-1])
        if generator is not None:
            _initialise(self.to_empty(device="cpu"), generator)

    def forward(self, z: Tensor) -> ModuleOutputs:
        """Compute x-features, score and reconstruction of `z`, (M, S_z) and >= 0."""
        x_features = self.encoder(z)
        y_bar = self.v(x_features).squeeze(1)
        return ModuleOutputs(x_features, y_bar, self.decoder(x_features))

    def get_attribution_layers(self) -> list[nn.Module]:
        """List the encoder's layers up to its last Linear, whose outputs are the x-features."""
        return list(self.encoder)[:-1]


def _stack_layers(sizes: Sequence[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers)


@torch.no_grad()
def _initialise(module: nn.Module, generator: torch.Generator) -> None:
    """He-initialise every Linear from `generator`, biases slightly positive.

    A ReLU unit that starts below zero on every photo gets no gradient and stays dead; in a layer
    of five that is too costly to leave to chance.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
            if layer.bias is not None:
                layer.bias.fill_(0.01)


class Loss(NamedTuple):
    """Terms of the loss, each a scalar Tensor in the units in which `total` adds them up."""

    total: Tensor
    faithfulness: Tensor
    reconstruction: Tensor
    pull_away: Tensor


def compute_sparse_reconstruction(z_reconstructed: Tensor, z: Tensor, q: float) -> Tensor:
    """Compute the log penalty of eq. (1), without β.

    (1/S_z) Σₖ log(1 + q · (1/M) Σᵢ (Z̃ₖⁱ − Zₖⁱ)²). The mean over examples stands inside the log,
    so that the penalty decides dimension by dimension which parts of Z are worth rebuilding.

    Parameters
    ----------
    z_reconstructed, z : Tensor
        (M, S_z).
    q : float
        Sparsity parameter, > 0.
    """
    return torch.log1p(q * (z_reconstructed - z).square().mean(dim=0)).mean()


def compute_pull_away(x_features: Tensor) -> Tensor:
    """Compute the mean squared cosine between pairs of x-features over the examples.

    Parameters
    ----------
    x_features : Tensor
        (M, K). A pair with an x-feature that is zero on every example counts as 0.

    Returns
    -------
    Tensor
        Scalar in [0, 1]; 0 for a single x-feature.

    Notes
    -----
    The pull-away term of Zhao et al., "Energy-based Generative Adversarial Network" (2017),
    eq. (6), taken between x-features instead of between examples.
    """
    count = x_features.shape[1]
    if count < 2:
        return x_features.new_zeros(())
    unit = nn.functional.normalize(x_features, dim=0)
    cosines = unit.T @ unit
    off_diagonal = cosines.square().sum() - cosines.diagonal().square().sum()
    return off_diagonal / (count * (count - 1))


def compute_loss(
    outputs: ModuleOutputs, z: Tensor, y_hat: Tensor, settings: ModuleSettings
) -> Loss:
    """Compute eq. (1) of the paper on a batch, plus the optional pull-away term.

    Parameters
    ----------
    outputs : ModuleOutputs
        What the module makes of `z`.
    z, y_hat : Tensor
        (M, S_z) and (M,): what the classifier gave.
    settings : ModuleSettings
        β, q, the weight of pull-away, and the method (``nn`` leaves the reconstruction out,
        ``jointsae`` the log).
    """
    faithfulness = (outputs.y_bar - y_hat).square().mean()
    zero = faithfulness.new_zeros(())
    reconstruction = pull_away = zero
    if settings.method == "srae":
        penalty = compute_sparse_reconstruction(outputs.z_reconstructed, z, settings.q)
        reconstruction = settings.beta * penalty
    elif settings.method == "jointsae":
        reconstruction = settings.beta * (outputs.z_reconstructed - z).square().mean()
    if settings.pull_away:
        pull_away = settings.pull_away * compute_pull_away(outputs.x_features)
    return Loss(faithfulness + reconstruction + pull_away, faithfulness, reconstruction, pull_away)


@torch.inference_mode()
def apply_module(
    module: nn.Module, z: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Compute x-features (M, K) and ȳ (M,) from Z (M, S_z), arrays in and out."""
    device = next(module.parameters()).device
    outputs: ModuleOutputs = module(torch.from_numpy(np.array(z)).to(device))
    return outputs.x_features.cpu().numpy(), outputs.y_bar.cpu().numpy()
