"""What a module's decoder rebuilds of Z, with one x-feature held still."""

import numpy as np
import torch
from numpy.typing import NDArray

from explorer.nn.srae import ExplanationModule


@torch.inference_mode()
def rebuild_z(
    module: ExplanationModule, z: NDArray[np.float32], held: int | None = None
) -> NDArray[np.float32]:
    """Rebuild Z from its x-features alone, Z̃ = D(E(Z)).

    Parameters
    ----------
    module : ExplanationModule
        Encoder E and decoder D.
    z : NDArray of float32
        (M, S_z), >= 0, one row a photo.
    held : int, optional
        An x-feature, counted from 0, that is set to its mean over these M photos on each of them,
        so that the decoder learns nothing from it but that mean.

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
