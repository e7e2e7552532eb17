"""Initialisation of modules, chosen to avoid dead x-features.

The paper does not describe its initialisation. A ReLU unit that is zero on every photo gets no
gradient. In a layer of five units, of which few have positive and few have negative weight, a
single dead unit can leave the module in a poor local minimum.
"""

import torch
from scipy.optimize import nnls
from torch import Tensor, nn

from explorer.nn.srae import ExplanationModule

_INITIAL_V_SCALE = 0.1
_ACTIVE_SHARE = 0.7
_START_LEVEL = 10.0
_LEAST_WEIGHT = 0.05  # of the largest
_MAX_QUANTILE_INPUT = 2**24  # limit of `Tensor.quantile`


@torch.no_grad()
def centre_biases(bias: Tensor, outputs: Tensor) -> None:
    """Shift a layer's biases so that each unit is active on 70 % of the photos.

    Parameters
    ----------
    bias : Tensor
        (units,), changed in place.
    outputs : Tensor
        (M, units): outputs of the layer with these biases, before the ReLU.
    """
    parts = outputs.split(max(1, _MAX_QUANTILE_INPUT // len(outputs)), dim=1)
    bias.sub_(torch.cat([part.quantile(1 - _ACTIVE_SHARE, dim=0) for part in parts]))


@torch.no_grad()
def initialise_v(v: nn.Linear, x_features: Tensor, y_hat: Tensor, is_positive: Tensor) -> None:
    """Initialise v as a scaled-down ridge regression of ŷ on E with balanced classes.

    There are few positives. With a random v, it may be that no x-feature has positive weight for
    the category, and the first steps, which fit the many negatives, then deactivate the units that
    could have had it.

    Parameters
    ----------
    v : nn.Linear
        From K x-features to the score, changed in place.
    x_features, y_hat, is_positive : Tensor
        (M, K), (M,) and (M,) bool: of the training photos, with the pretrained encoder.
    """
    weights = compute_balanced_weights(is_positive, y_hat.dtype)
    v.weight[0] = _INITIAL_V_SCALE * _solve_ridge(x_features, y_hat, weights)


@torch.no_grad()
def initialise_signed_v(
    v: nn.Linear, x_features: Tensor, y_hat: Tensor, is_positive: Tensor
) -> None:
    """Initialise v as a regression of ŷ on E, with the sign that each x-feature has by itself.

    X-features that start as evidence for the category rise and fall together. A plain regression
    would give some of them a negative weight. None starts without weight, or it might take the
    other sign later. The base, if v has one, starts as the intercept. Parameters are those of
    `initialise_v`.
    """
    weights = compute_balanced_weights(is_positive, y_hat.dtype)
    signs = ((weights * (y_hat - weights @ y_hat)) @ x_features).sign()
    columns = [signs * x_features]
    if v.bias is not None:
        ones = torch.ones_like(x_features[:, :1])
        columns += [ones, -ones]  # an intercept may have either sign
    roots = weights.sqrt()
    design, target = roots.unsqueeze(-1) * torch.cat(columns, dim=-1), roots * y_hat
    solution, _ = nnls(design.cpu().double().numpy(), target.cpu().double().numpy())
    slopes, intercepts = solution[: len(signs)], solution[len(signs) :]
    slopes = slopes.clip(min=_LEAST_WEIGHT * slopes.max())
    v.weight[0] = signs * torch.from_numpy(slopes).to(signs)
    if v.bias is not None:
        v.bias.fill_(intercepts[0] - intercepts[1])


def compute_balanced_weights(is_positive: Tensor, dtype: torch.dtype) -> Tensor:
    """Compute weights of photos (M,) with which positives and negatives count alike: (M,)."""
    masks = (is_positive, ~is_positive)
    positives, negatives = (mask.sum(dtype=dtype).clamp(min=1) for mask in masks)
    return torch.where(is_positive, 0.5 / positives, 0.5 / negatives)


@torch.no_grad()
def fit_x_features(hidden: Tensor, targets: Tensor, is_positive: Tensor) -> tuple[Tensor, Tensor]:
    """Fit a layer whose outputs are proportional to targets, by a ridge regression.

    Parameters
    ----------
    hidden : Tensor
        (M, inputs), of the training photos.
    targets : Tensor
        (M, K), >= 0. They are scaled to a mean of 10 on the positives, about what trained
        x-features have, so that training starts from a good fit and with usual weights.
    is_positive : Tensor
        (M,) bool. Classes count alike.

    Returns
    -------
    weight : Tensor
        (inputs, K).
    bias : Tensor
        (K,).
    """
    scales = targets[is_positive].mean(dim=0)
    targets = _START_LEVEL * targets / scales.where(scales > 0, torch.ones_like(scales))
    design = torch.cat([hidden, torch.ones_like(hidden[:, :1])], dim=1)
    weights = compute_balanced_weights(is_positive, hidden.dtype)
    solution = _solve_ridge(design, targets, weights)
    return solution[:-1], solution[-1]


@torch.no_grad()
def fit_v(v: Tensor, x_features: Tensor, y_hat: Tensor) -> None:
    """Set v to the least-squares fit of ŷ on the x-features of a trained encoder.

    Parameters
    ----------
    v : Tensor
        (K,), overwritten.
    x_features, y_hat : Tensor
        (M, K), finite, and (M,): of the training photos.
    """
    x_features = x_features.cpu().double()  # some devices have no double precision
    # The pseudo-inverse can handle dead and linearly dependent x-features.
    v.copy_(torch.linalg.pinv(x_features) @ y_hat.cpu().double())


@torch.no_grad()
def revive_x_features(module: ExplanationModule, z: Tensor, y_hat: Tensor) -> int:
    """Reinitialise x-features that are zero on all photos to fit the module's error.

    A dead x-feature becomes the ridge regression of the residual ŷ − ȳ on the last hidden layer, or
    of its negative if the mean residual is negative. v gets the sign.

    Parameters
    ----------
    module : ExplanationModule
        Changed in place.
    z, y_hat : Tensor
        (M, S_z) and (M,): of the training photos.

    Returns
    -------
    int
        Number of reinitialised x-features.
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
    """Return w that fits ``inputs @ w`` to `target`, with `weights` (M,) of the photos.

    w is (inputs,) for a target (M,), and (inputs, K) for targets (M, K).
    """
    gram = inputs.T @ (weights[:, None] * inputs)
    ridge = 1e-3 * gram.diagonal().mean() + 1e-8
    gram += ridge * torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
    solution: Tensor = torch.linalg.solve(gram, (weights[:, None] * inputs).T @ target)
    return solution
