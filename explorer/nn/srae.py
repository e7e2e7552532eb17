"""The explanation module: the Sparse Reconstruction Autoencoder (SRAE) and its variants.

Qi & Li, "Learning Explainable Embeddings for Deep Networks" (2017), section 2. The losses are in
`explorer.nn.losses` and `explorer.methods`.
"""

import contextlib
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from explorer.nn.arithmetic import fixed_arithmetic
from explorer.nn.settings import ModuleShape, scale_widths


class ModuleOutputs(NamedTuple):
    """Outputs of a module for a batch of Z, or of a group of modules for one batch each.

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
    """Maps Z to x-features E(Z), to ȳ = b + vᵀE, and to a reconstruction of Z, with ReLUs.

    The paper's v has no bias, so that b = 0; see `ModuleShape.has_base`.

    Parameters
    ----------
    z_size : int
        Dimensions of Z.
    settings : ModuleShape
        Shape of the module; empty widths are set by the size of Z.
    generator : torch.Generator, optional
        Generator of the initial weights; by default, the global one.
    """

    def __init__(
        self, z_size: int, settings: ModuleShape, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        self.z_size = z_size
        self.settings = scale_widths(settings, z_size)
        sizes = [z_size, *self.settings.widths, self.settings.x_features]
        # Layers draw their initial weights from the global generator, except on the meta device.
        with contextlib.nullcontext() if generator is None else torch.device("meta"):
            self.encoder = _stack_layers(sizes)
            self.v = nn.Linear(sizes[-1], 1, bias=settings.has_base, dtype=torch.float32)
            self.decoder = _stack_layers(sizes[::-1])
        if generator is not None:
            _initialise(self.to_empty(device="cpu"), generator)

    def forward(self, z: Tensor, *, rebuild: bool = True) -> ModuleOutputs:
        """Compute the x-features, the score and the reconstruction of `z`, (M, S_z), >= 0.

        Without `rebuild`, the reconstruction is empty.
        """
        x_features = self.encoder(z)
        y_bar = self.v(x_features).squeeze(-1)
        rebuilt = self.decoder(x_features) if rebuild else z.new_empty(0)
        return ModuleOutputs(x_features, y_bar, rebuilt)

    def get_attribution_layers(self) -> list[nn.Module]:
        """Return the encoder's layers up to its last Linear, whose outputs are the x-features."""
        return list(self.encoder)[:-1]

    def compute_contributions(self, x_features: Tensor) -> Tensor:
        """Compute vₙEₙ, signed, of x-features (..., M, K)."""
        return x_features * self.v.weight

    def list_encoder_weights(self) -> list[Tensor]:
        """Return the weights of the encoder's layers from Z up, (..., inputs, outputs) each."""
        return [layer.weight.mT for layer in self.encoder if isinstance(layer, nn.Linear)]


def _stack_layers(sizes: Sequence[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs, dtype=torch.float32), nn.ReLU()]
    return nn.Sequential(*layers)


@torch.no_grad()
def _initialise(module: nn.Module, generator: torch.Generator) -> None:
    """Initialise all Linear layers by He's rule from `generator`, with slightly positive biases.

    A ReLU unit that is zero on every photo at the start gets no gradient and stays dead, which is
    too costly in a layer of five units.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
            if layer.bias is not None:
                layer.bias.fill_(0.01)


@torch.inference_mode()
@fixed_arithmetic()
def apply_module(
    module: nn.Module, z: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Compute x-features (M, K) and ȳ (M,) from Z (M, S_z), as NumPy arrays."""
    device = next(module.parameters()).device
    outputs: ModuleOutputs = module(torch.from_numpy(np.array(z)).to(device))
    return outputs.x_features.cpu().numpy(), outputs.y_bar.cpu().numpy()
