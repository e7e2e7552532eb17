"""Starting points for a module, so that no x-feature is lost to a bad one.

The paper does not say how the authors initialised theirs. A ReLU unit that is silent on every
photo gets no gradient; in a layer of five, where few units speak for a category and few against
it, one that dies can leave the whole module in a poor local minimum.
"""

import torch
from torch import Tensor, nn

from explorer.nn.srae import ExplanationModule

_INITIAL_V_SCALE = 0.1
_FIRING_SHARE = 0.7
_MOST_IN_QUANTILE = 2**24  # what `Tensor.quantile` takes at once


@torch.no_grad()
def centre_biases(bias: Tensor, outputs: Tensor) -> None:
    """Shift a layer's biases so that every unit fires on 70 % of the photos.

    Parameters
    ----------
    bias : Tensor
        (units,), changed in place.
    outputs : Tensor
        (M, units): what the layer gives with these biases, before the ReLU.
    """
    parts = outputs.split(max(1, _MOST_IN_QUANTILE // len(outputs)), dim=1)
    bias.sub_(torch.cat([part.quantile(1 - _FIRING_SHARE, dim=0) for part in parts]))


@torch.no_grad()
def initialise_v(v: Tensor, x_features: Tensor, y_hat: Tensor, is_positive: Tensor) -> None:
    """Start v as a faint ridge regression of ŷ on E in which positives weigh as much as negatives.

    Positives are few. With a random v it happens that no x-feature speaks *for* the category, and
    the first steps, which fit the many negatives, switch off for good the units that could have.

    Parameters
    ----------
    v : Tensor
        (K,), overwritten.
    x_features, y_hat, is_positive : Tensor
        (M, K), (M,) and (M,) bool: the training photos, as the pretrained encoder sees them.
    """
    weights = torch.where(
        is_positive,
        0.5 / is_positive.sum().clamp(min=1),
        0.5 / (~is_positive).sum().clamp(min=1),
    )
    v.copy_(_INITIAL_V_SCALE * _solve_ridge(x_features, y_hat, weights))


@torch.no_grad()
def fit_v(v: Tensor, x_features: Tensor, y_hat: Tensor) -> None:
    """Set v to the least-squares fit of ŷ on the x-features of a finished encoder.

    Parameters
    ----------
    v : Tensor
        (K,), overwritten.
    x_features, y_hat : Tensor
        (M, K), finite, and (M,): the training photos.
    """
    x_features = x_features.cpu().double()  # not every device knows double precision
    # The pseudo-inverse bears x-features that are dead or alike.
    v.copy_(torch.linalg.pinv(x_features) @ y_hat.cpu().double())


@torch.no_grad()
def revive_x_features(module: ExplanationModule, z: Tensor, y_hat: Tensor) -> int:
    """Point x-features that are silent on all photos at what the module gets wrong.

    A dead x-feature becomes the ridge regression, on the last hidden layer, of the residual
    ŷ − ȳ, or of its negative where the module scores too high on the whole; v gets the sign.

    Parameters
    ----------
    module : ExplanationModule
        Changed in place.
    z, y_hat : Tensor
        (M, S_z) and (M,): the training photos.

    Returns
    -------
    int
        How many were revived.
    """
    top = module.encoder[-2]
    if not isinstance(top, nn.Linear):
        raise TypeError("The encoder does not end in a Linear and a ReLU.")
    hidden = module.encoder[:-2](z)
    x_features = top(hidden).relu()
    dead = torch.nonzero(x_features.amax(dim=0) == 0).flatten().tolist()
    design = torch.cat([hidden, torch.ones_like(hidden[:, :1])], dim=1)
    residual = y_hat - module.v(x_features).squeeze(1)
    weights = torch.full_like(y_hat, 1 / len(y_hat))
    strength = module.v.weight.abs().mean().clamp(min=1e-3)
    for index in dead:
        sign = 1.0 if residual.mean() >= 0 else -1.0
        solution = _solve_ridge(design, sign * residual / strength, weights)
        top.weight[index], top.bias[index] = solution[:-1], solution[-1]
        module.v.weight[0, index] = sign * strength
        residual = residual - module.v.weight[0, index] * (design @ solution).relu()
    return len(dead)


def _solve_ridge(inputs: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """Return w (K,) that fits ``inputs @ w`` (M,) to `target`, photos weighted by `weights`."""
    gram = inputs.T @ (weights[:, None] * inputs)
    ridge = 1e-3 * gram.diagonal().mean() + 1e-8
    gram += ridge * torch.eye(len(gram), device=gram.device)
    solution: Tensor = torch.linalg.solve(gram, inputs.T @ (weights * target))
    return solution
