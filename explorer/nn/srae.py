"""The Sparse Reconstruction Autoencoder (SRAE) and the loss that trains it.

Qi & Li, "Learning Explainable Embeddings for Deep Networks" (2017), eq. (1).
"""

import contextlib
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from explorer.nn.settings import ModuleSettings, scale_widths


class ModuleOutputs(NamedTuple):
    """What a module makes of a batch of Z, or what each of several makes of a batch of its own.

    Attributes
    ----------
    x_features : Tensor
        (..., M, K), >= 0.
    y_bar : Tensor
        (..., M), signed, in units of the classifier's logit.
    z_reconstructed : Tensor
        (..., M, S_z), >= 0.
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
        self.z_size = z_size
        self.settings = scale_widths(settings, z_size)
        sizes = [z_size, *self.settings.widths, self.settings.x_features]
        # Layers draw weights of their own from the global generator, except on the meta device.
        with contextlib.nullcontext() if generator is None else torch.device("meta"):
            self.encoder = _stack_layers(sizes)
            self.v = nn.Linear(self.settings.x_features, 1, bias=False)
            self.decoder = _stack_layers(sizes[::-1])
        if generator is not None:
            _initialise(self.to_empty(device="cpu"), generator)

    def forward(self, z: Tensor, *, rebuild: bool = True) -> ModuleOutputs:
        """Compute x-features, score and reconstruction of `z`, (M, S_z) and >= 0.

        The reconstruction is left empty where there is no need to `rebuild`.
        """
        x_features = self.encoder(z)
        y_bar = self.v(x_features).squeeze(-1)
        rebuilt = self.decoder(x_features) if rebuild else z.new_empty(0)
        return ModuleOutputs(x_features, y_bar, rebuilt)

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
    """Terms of the loss, each (...) in the units in which `total` adds them up."""

    total: Tensor
    faithfulness: Tensor
    reconstruction: Tensor
    pull_away: Tensor


# Below, "..." stands for no dimension, or for one: several modules that are trained side by side,
# each on a batch of its own. `shares` says how much each example counts in the means over its
# batch, (..., M), >= 0 and summing to 1; all examples count alike where it is None.


def compute_sparse_reconstruction(
    z_reconstructed: Tensor, z: Tensor, q: float, shares: Tensor | None = None
) -> Tensor:
    """Compute the log penalty of eq. (1), without β.

    (1/S_z) Σₖ log(1 + q · (1/M) Σᵢ (Z̃ₖⁱ − Zₖⁱ)²). The mean over examples stands inside the log,
    so that the penalty decides dimension by dimension which parts of Z are worth rebuilding.

    Parameters
    ----------
    z_reconstructed, z : Tensor
        (..., M, S_z).
    q : float
        Sparsity parameter, > 0.
    shares : Tensor, optional
        (..., M), what each example counts; they sum to 1.
    """
    return torch.log1p(q * _average((z_reconstructed - z).square(), shares)).mean(dim=-1)


def compute_plain_reconstruction(
    rebuilt: Tensor, inputs: Tensor, shares: Tensor | None = None
) -> Tensor:
    """Compute the mean squared error of (..., M, S) over examples and dimensions: (...)."""
    return _average((rebuilt - inputs).square(), shares).mean(dim=-1)


def compute_pull_away(x_features: Tensor, shares: Tensor | None = None) -> Tensor:
    """Compute the mean squared cosine between pairs of x-features over the examples.

    Parameters
    ----------
    x_features : Tensor
        (..., M, K). A pair with an x-feature that is zero on every example counts as 0.
    shares : Tensor, optional
        (..., M), what each example counts; they sum to 1.

    Returns
    -------
    Tensor
        (...), in [0, 1]; 0 for a single x-feature.

    Notes
    -----
    The pull-away term of Zhao et al., "Energy-based Generative Adversarial Network" (2017),
    eq. (6), taken between x-features instead of between examples.
    """
    count = x_features.shape[-1]
    if count < 2:
        return x_features.new_zeros(x_features.shape[:-2])
    if shares is not None:
        x_features = x_features * shares.sqrt().unsqueeze(-1)
    unit = nn.functional.normalize(x_features, dim=-2)
    squares = (unit.mT @ unit).square()
    off_diagonal = squares.sum(dim=(-2, -1)) - squares.diagonal(dim1=-2, dim2=-1).sum(dim=-1)
    return off_diagonal / (count * (count - 1))


def compute_loss(
    outputs: ModuleOutputs,
    z: Tensor,
    y_hat: Tensor,
    settings: ModuleSettings,
    shares: Tensor | None = None,
) -> Loss:
    """Compute eq. (1) of the paper on a batch, plus the optional pull-away term.

    Parameters
    ----------
    outputs : ModuleOutputs
        What the module makes of `z`.
    z, y_hat : Tensor
        (..., M, S_z) and (..., M): what the classifier gave.
    settings : ModuleSettings
        β, q, the weight of pull-away, and the method (``nn`` leaves the reconstruction out,
        ``jointsae`` the log).
    shares : Tensor, optional
        (..., M), what each example counts; they sum to 1.
    """
    misses = (outputs.y_bar - y_hat).square()
    faithfulness = _average(misses.unsqueeze(-1), shares).squeeze(-1)
    reconstruction = pull_away = torch.zeros_like(faithfulness)
    if settings.method == "srae":
        penalty = compute_sparse_reconstruction(outputs.z_reconstructed, z, settings.q, shares)
        reconstruction = settings.beta * penalty
    elif settings.method == "jointsae":
        error = compute_plain_reconstruction(outputs.z_reconstructed, z, shares)
        reconstruction = settings.beta * error
    if settings.pull_away:
        pull_away = settings.pull_away * compute_pull_away(outputs.x_features, shares)
    return Loss(faithfulness + reconstruction + pull_away, faithfulness, reconstruction, pull_away)


def _average(values: Tensor, shares: Tensor | None) -> Tensor:
    """Average (..., M, D) over the examples: (..., D)."""
    if shares is None:
        return values.mean(dim=-2)
    return (shares.unsqueeze(-2) @ values).squeeze(-2)


@torch.inference_mode()
def apply_module(
    module: nn.Module, z: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Compute x-features (M, K) and ȳ (M,) from Z (M, S_z), arrays in and out."""
    device = next(module.parameters()).device
    outputs: ModuleOutputs = module(torch.from_numpy(np.array(z)).to(device))
    return outputs.x_features.cpu().numpy(), outputs.y_bar.cpu().numpy()
