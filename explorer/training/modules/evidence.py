"""The evidence for a category in Z, divided among concepts."""

import warnings

import numpy as np
import torch
from torch import Tensor

from explorer.training.modules.initialisation import compute_balanced_weights

_MAX_STEPS = 1000
_LEAST_VARIATION = 1e-3  # against that of the concept that varies most


@torch.no_grad()
def compute_slopes(z: Tensor, y_hat: Tensor, is_positive: Tensor) -> Tensor:
    """Compute how much each dimension of Z, taken alone, speaks for a category.

    A joint regression on all dimensions would explain ŷ better. But it has more weights than there
    are photos, so another draw of the photos gives others, and with them other concepts.

    Parameters
    ----------
    z, y_hat, is_positive : Tensor
        (M, S_z) >= 0, (M,) and (M,) bool: of the training photos. Classes count alike.

    Returns
    -------
    Tensor
        (S_z,), >= 0: the positive slopes of regressions of ŷ on each dimension, per unit of Z.
    """
    weights = compute_balanced_weights(is_positive, z.dtype)
    covariance = (weights * (y_hat - weights @ y_hat)) @ z
    variance = weights @ z.square() - (weights @ z).square()
    ridge = 1e-3 * variance.mean() + 1e-8  # dimensions that hardly vary say little
    return covariance.clamp(min=0) / (variance + ridge)


@torch.no_grad()
def factorise_evidence(slopes: Tensor, z: Tensor, z_maps: Tensor, count: int) -> Tensor:
    """Divide the dimensions of Z that speak for a category among concepts.

    Dimensions go together whose evidence comes from the same places of the same photos.

    Parameters
    ----------
    slopes : Tensor
        (S_z,), >= 0; see `compute_slopes`.
    z, z_maps : Tensor
        (P, S_z) and (P, S_z, cells), >= 0: Z of photos of the category, and its maps on them.
    count : int
        Number of concepts, K.

    Returns
    -------
    Tensor
        (S_z, K) float32, >= 0. ``z @ evidence`` is the evidence for each concept. All zero if no
        dimension speaks for the category.

    Notes
    -----
    The evidence of each pixel of each photo is factorised as in CRAFT (Fel et al., CVPR 2023). The
    factors decide which part of each dimension belongs to which concept. There is no random start,
    so that the concepts depend on the photos alone.
    """
    by_pixel = (z_maps * (z * slopes).unsqueeze(-1)).mT.flatten(0, 1)
    parts = _factorise(by_pixel.double().numpy(), count)
    totals = parts.sum(axis=0)
    memberships = np.divide(parts, totals, out=np.zeros_like(parts), where=totals > 0)
    return torch.from_numpy(memberships.T).to(slopes) * slopes.unsqueeze(-1)


@torch.no_grad()
def separate_evidence(evidence: Tensor, z: Tensor) -> Tensor:
    """Weigh the dimensions of Z so that concepts come and go without each other.

    The evidence for two concepts shares dimensions, so that it rises and falls together even where
    a photo has only one of them. What is left without this follows one concept.

    Parameters
    ----------
    evidence : Tensor
        (S_z, K), >= 0; see `factorise_evidence`.
    z : Tensor
        (M, S_z), >= 0: of the training photos, of all categories.

    Returns
    -------
    Tensor
        (S_z, K) float32, signed. The columns of ``z @ signals`` are those closest to the evidence
        that are uncorrelated over the photos, with variance 1. Zero for a concept whose evidence
        hardly varies.

    Notes
    -----
    Löwdin's symmetric orthogonalisation (1950), also known as ZCA whitening.
    """
    amounts = (z @ evidence).double()
    centred = amounts - amounts.mean(dim=0)
    scales = centred.square().mean(dim=0).sqrt()
    varies = scales > _LEAST_VARIATION * scales.max()
    unit = centred[:, varies] / scales[varies]
    values, vectors = torch.linalg.eigh(unit.mT @ unit / len(unit))
    mixing = vectors / values.clamp(min=_LEAST_VARIATION).sqrt() @ vectors.mT
    signals = torch.zeros_like(evidence)
    signals[:, varies] = (evidence[:, varies].double() / scales[varies] @ mixing).to(evidence)
    return signals


def _factorise(values: np.ndarray, count: int) -> np.ndarray:
    """Factorise (N, S) >= 0; return how much each factor adds to each column, (K, S)."""
    # scikit-learn takes 1 to 3 s to import, and nothing else needs it.
    from sklearn.decomposition import NMF  # noqa: PLC0415
    from sklearn.exceptions import ConvergenceWarning  # noqa: PLC0415

    if not values.any():
        return np.zeros((count, values.shape[1]))
    is_small = count > min(values.shape)
    model = NMF(
        n_components=count,
        init="random" if is_small else "nndsvda",
        max_iter=_MAX_STEPS,
        tol=1e-3,
        random_state=0,
    )
    with warnings.catch_warnings():
        # A start need not be the best factorisation there is.
        warnings.simplefilter("ignore", category=ConvergenceWarning)
        amounts = model.fit_transform(values / values.max())
    shares: np.ndarray = amounts.sum(axis=0)[:, np.newaxis] * model.components_
    return shares
