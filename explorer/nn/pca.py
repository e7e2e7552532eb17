"""A linear probe on the principal components of Z: what K numbers can do without training."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from explorer.nn.srae import ModuleOutputs


class PcaProbe(nn.Module):
    """The first K principal components of Z, and a least-squares fit of ŷ on them.

    Parameters
    ----------
    z : NDArray of float32
        (M, S_z), training photos; M > K.
    y_hat : NDArray of float32
        (M,), the classifier's logit.
    components : int
        K.

    Notes
    -----
    Unlike an x-feature, a component is signed, and ȳ has an intercept besides the contributions.
    """

    def __init__(self, z: NDArray[np.float32], y_hat: NDArray[np.float32], components: int) -> None:
        super().__init__()
        inputs = np.asarray(z, np.float64)
        mean = inputs.mean(axis=0)
        directions = np.linalg.svd(inputs - mean, full_matrices=False)[2][:components]
        scores = (inputs - mean) @ directions.T
        design = np.column_stack([scores, np.ones(len(scores))])
        weights = np.linalg.lstsq(design, np.asarray(y_hat, np.float64), rcond=None)[0]
        self.encoder = _make_linear(directions, -directions @ mean)
        self.v = _make_linear(weights[None, :-1], weights[-1:])
        self.decoder = _make_linear(directions.T, mean)
        self.eval().requires_grad_(False)

    def forward(self, z: Tensor) -> ModuleOutputs:
        """Compute components, score and reconstruction of `z`, (M, S_z)."""
        scores = self.encoder(z)
        return ModuleOutputs(scores, self.v(scores).squeeze(1), self.decoder(scores))

    def get_attribution_layers(self) -> list[nn.Module]:
        """List the single layer whose outputs are the components."""
        return [self.encoder]


def _make_linear(weight: NDArray[np.float64], bias: NDArray[np.float64]) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    layer.load_state_dict(
        {"weight": torch.from_numpy(weight).float(), "bias": torch.from_numpy(bias).float()}
    )
    return layer
