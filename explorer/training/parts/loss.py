"""The loss of a part finder."""

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 (as everywhere)

from explorer.nn.part_finder import PartOutput

_SPREAD = 0.8  # standard deviation of the wanted heat, in cells: narrow, but wider than a cell


def compute_loss(output: PartOutput, points: Tensor, boxes: Tensor) -> Tensor:
    """Compute how far an output is from the annotations.

    Parameters
    ----------
    output : PartOutput
        Of B photos.
    points : Tensor
        (B, P, 2), (x, y), in [0, 1]; NaN for parts that are not visible.
    boxes : Tensor
        (B, 4), (left, top, right, bottom), in [0, 1].

    Returns
    -------
    Tensor
        Scalar, the sum of three: the cross-entropy between the heat of visible parts and a narrow
        Gaussian around the point; the binary cross-entropy of visibility; for the box, one minus
        its overlap with the true one, and the mean distance of its edges.
    """
    visible = points.isfinite().all(2)
    height, width = output.heat.shape[2:]
    wanted = _draw_heat(points[visible], height, width)
    log_share = output.heat.float().flatten(2)[visible].log_softmax(dim=1)
    heat = -(wanted * log_share).sum() / visible.sum().clamp(min=1)
    visibility = F.binary_cross_entropy_with_logits(output.visibility.float(), visible.float())
    edges = output.edges.float()
    return heat + visibility + (1 - _overlap(edges, boxes)).mean() + F.l1_loss(edges, boxes)


def _draw_heat(points: Tensor, height: int, width: int) -> Tensor:
    """Draw Gaussians around points (N, 2), with a sum of one: (N, height * width)."""
    across = torch.arange(width, device=points.device) + 0.5 - points[:, :1] * width
    down = torch.arange(height, device=points.device) + 0.5 - points[:, 1:] * height
    squared = down[:, :, None] ** 2 + across[:, None] ** 2
    return (-squared.flatten(1) / (2 * _SPREAD**2)).softmax(dim=1)


def _overlap(first: Tensor, second: Tensor) -> Tensor:
    """Compute the overlap (B,) of boxes (B, 4); see `explorer.analysis.part_finding`."""
    low, high = (
        torch.maximum(first[:, :2], second[:, :2]),
        torch.minimum(first[:, 2:], second[:, 2:]),
    )
    shared = (high - low).clamp(min=0).prod(1)
    areas = [(box[:, 2:] - box[:, :2]).clamp(min=0).prod(1) for box in (first, second)]
    return shared / (areas[0] + areas[1] - shared).clamp(min=1e-6)
