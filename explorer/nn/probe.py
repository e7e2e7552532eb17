"""A linear probe on Z as a network, with the interface of a module."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from explorer.nn.srae import ModuleOutputs


class LinearProbe(nn.Module):
    """K components of Z, and ȳ as a weighted sum of them.

    Parameters
    ----------
    encoder : NDArray of float64
        (K, S_z), signed weights of each component.
    offset : NDArray of float64
        (K,), added to each component.
    v : NDArray of float64
        (K,), weight of each component in ȳ.
    intercept : float
        Added to the sum.
    is_clamped : bool
        Whether components are clamped at zero, as x-features are.
    """

    def __init__(
        self,
        encoder: NDArray[np.float64],
        offset: NDArray[np.float64],
        v: NDArray[np.float64],
        intercept: float,
        *,
        is_clamped: bool = False,
    ) -> None:
        super().__init__()
        self.encoder = _make_linear(encoder, offset)
        self.v = _make_linear(v[None], np.array([intercept]))
        self.is_clamped = is_clamped
        self.eval().requires_grad_(False)

    def forward(self, z: Tensor) -> ModuleOutputs:
        """Compute the components and the score of `z`, (M, S_z), without a reconstruction."""
        components = self.encoder(z)
        components = components.relu() if self.is_clamped else components
        return ModuleOutputs(components, self.v(components).squeeze(1), z.new_empty(0))

    def get_attribution_layers(self) -> list[nn.Module]:
        """Return the single layer whose outputs are the components, before clamping."""
        return [self.encoder]


def _make_linear(weight: NDArray[np.float64], bias: NDArray[np.float64]) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0], dtype=torch.float32)
    layer.load_state_dict(
        {"weight": torch.from_numpy(weight).float(), "bias": torch.from_numpy(bias).float()}
    )
    return layer
