"""The part finder: a small network on a layer of the classifier that finds parts and the box."""

from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from explorer.analysis.part_finding import find_peaks
from explorer.config import ExplorerError
from explorer.nn.backbones.backbone import Backbone

_VISIBLE = 0.5
_LARGEST = {"channels": 2**13, "parts": 2**10, "width": 2**11}


@dataclass(frozen=True)
class PartFinderShape:
    """Sizes of a part finder.

    Attributes
    ----------
    channels : int
        Of the layer that it reads.
    parts : int
        P.
    width : int
        Channels of its own layers.
    """

    channels: int
    parts: int
    width: int

    def __post_init__(self) -> None:
        for name, size in asdict(self).items():
            if not 1 <= size <= _LARGEST[name]:
                raise ValueError(f"its {name} must be from 1 to {_LARGEST[name]}, not {size}")


class PartOutput(NamedTuple):
    """What a part finder computes for B photos.

    Attributes
    ----------
    heat : Tensor
        (B, P, h, w), logits: the softmax of a map says where the part is, if it is visible.
    visibility : Tensor
        (B, P), logits.
    edges : Tensor
        (B, 4), (left, top, right, bottom) of the box as shares of the photo, in [0, 1]. Nothing
        forces left to be below right.
    """

    heat: Tensor
    visibility: Tensor
    edges: Tensor


class FoundArrays(NamedTuple):
    """The output of a part finder for B photos as points and boxes, as shares of the photo.

    Attributes
    ----------
    points : NDArray of float64
        (B, P, 2), (x, y), in [0, 1], of visible and invisible parts alike.
    visibility : NDArray of float64
        (B, P), probability that a part is visible.
    mass : NDArray of float64
        (B, P), in (0, 1]: share of its map around its point.
    boxes : NDArray of float64
        (B, 4), (left, top, right, bottom), in [0, 1]; left <= right and top <= bottom.
    """

    points: NDArray[np.float64]
    visibility: NDArray[np.float64]
    mass: NDArray[np.float64]
    boxes: NDArray[np.float64]


def decode_output(output: PartOutput) -> FoundArrays:
    """Turn maps and logits into points, probabilities and boxes."""
    heat, visibility, edges = (tensor.double().cpu() for tensor in output)
    points, mass = find_peaks(heat.numpy())
    corners = np.sort(edges.numpy().reshape(-1, 2, 2), axis=1)
    return FoundArrays(points, visibility.sigmoid().numpy(), mass, corners.reshape(-1, 4))


@dataclass(frozen=True, eq=False)
class FoundParts:
    """The box and the parts that were found on one photo, in its pixels.

    Attributes
    ----------
    box : tuple of float
        (x, y, width, height), within the photo.
    points : NDArray of float64
        (P, 2), (x, y); NaN for parts that are probably not visible.
    confidence : NDArray of float64
        (P,), in [0, 1]: probability that the part is visible, times the share of its heat that is
        near its point.
    """

    box: tuple[float, float, float, float]
    points: NDArray[np.float64]
    confidence: NDArray[np.float64]

    @property
    def visible(self) -> NDArray[np.bool_]:
        """(P,), whether each part was found."""
        return np.isfinite(self.points[:, 0])


def scale_found(found: FoundArrays, size: tuple[int, int]) -> FoundParts:
    """Convert what was found on one photo to pixels of the photo, of `size` (height, width)."""
    height, width = size
    left, top, right, bottom = found.boxes[0] * (width, height, width, height)
    is_visible = found.visibility[0] >= _VISIBLE
    return FoundParts(
        box=(float(left), float(top), float(right - left), float(bottom - top)),
        points=np.where(is_visible[:, np.newaxis], found.points[0] * (width, height), np.nan),
        confidence=found.visibility[0] * found.mass[0],
    )


class PartFinder(nn.Module):
    """Finds P parts and the box on the map (B, C, h, w) of a layer, usually 14 × 14.

    Three residual 3 × 3 convolutions with dilation 1, 2 and 4 see a neighbourhood of 15 cells:
    left and right wing can only be told apart by the direction in which the bird looks. Whether a
    part is visible is read from the features where its heat is; each edge of the box from the
    maxima of the features over columns, or over rows.
    """

    def __init__(self, shape: PartFinderShape) -> None:
        super().__init__()
        width = shape.width
        self.shape = shape
        self.normalise = nn.GroupNorm(1, shape.channels)
        self.reduce = nn.Conv2d(shape.channels, width, 1)
        self.dropout = nn.Dropout2d(0.1)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.GroupNorm(1, width),
                nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation),
                nn.ReLU(),
            )
            for dilation in (1, 2, 4)
        )
        self.heat = nn.Conv2d(width, shape.parts, 1)
        self.visibility = nn.Linear(width, shape.parts)
        self.across = nn.Conv1d(width, 2, 1)
        self.down = nn.Conv1d(width, 2, 1)

    def forward(self, maps: Tensor) -> PartOutput:
        """Find parts and box on maps (B, C, h, w)."""
        features = self.dropout(self.reduce(self.normalise(maps)).relu())
        for block in self.blocks:
            features = features + block(features)
        heat = self.heat(features)
        share = heat.flatten(2).softmax(dim=2)
        there = torch.einsum("bpn,bwn->bpw", share, features.flatten(2))
        visibility = (there * self.visibility.weight).sum(2) + self.visibility.bias
        left, right = _locate(self.across(features.amax(2))).unbind(1)
        top, bottom = _locate(self.down(features.amax(3))).unbind(1)
        return PartOutput(heat, visibility, torch.stack([left, top, right, bottom], dim=1))


def _locate(scores: Tensor) -> Tensor:
    """Return the mean position (B, 2), in [0, 1], of the softmax of logits (B, 2, n)."""
    places = torch.linspace(0, 1, scores.shape[2], device=scores.device)
    return scores.float().softmax(dim=2) @ places


def choose_layer(backbone: Backbone, name: str = "") -> str:
    """Return the layer that a part finder reads: `name`, or the deepest one that is fine enough.

    See `Backbone.coarse_stop`: deeper maps mean more, but are too coarse to tell an eye from a
    beak.

    Raises
    ------
    ExplorerError
        When there is no layer of this name with height and width.
    """
    if name:
        backbone.get_stop(name)
        return name
    if backbone.coarse_stop is None:
        raise ExplorerError(
            f"The maps of {backbone.architecture.name} are too coarse to find parts on."
        )
    return backbone.coarse_stop
