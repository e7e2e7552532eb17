"""Rebuilding Z with a module's decoder, optionally with one x-feature held constant."""

import numpy as np
import torch
from numpy.typing import NDArray

from explorer.nn.arithmetic import fixed_arithmetic
from explorer.nn.srae import ExplanationModule


@torch.inference_mode()
@fixed_arithmetic()
def rebuild_z(
    module: ExplanationModule, z: NDArray[np.float32], held: int | None = None
) -> NDArray[np.float32]:
    """Rebuild Z from its x-features, Z̃ = D(E(Z)).

    Parameters
    ----------
    module : ExplanationModule
        Encoder E and decoder D.
    z : NDArray of float32
        (M, S_z), >= 0, one row per photo.
    held : int, optional
        Index of an x-feature, counted from 0, that is replaced by its mean over the M photos.

    Returns
    -------
    NDArray of float32
        (M, S_z), >= 0.
    """
    device = next(module.parameters()).device
    x_features = module.encoder(torch.from_numpy(np.array(z)).to(device))
    if held is not None:
        x_features[:, held] = x_features[:, held].mean()
    rebuilt: NDArray[np.float32] = module.decoder(x_features).cpu().numpy()
    return rebuilt
