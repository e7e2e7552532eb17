"""Saving and loading part finders as safetensors files, bound to the classifier that they read."""

from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from explorer.nn.backbones.backbone import Backbone, compute_sha256
from explorer.nn.checkpoint import load_tensors, save_tensors
from explorer.nn.part_finder import PartFinder, PartFinderShape
from explorer.nn.records import CheckpointError, load_weights_header, parse_header
from explorer.storage.json_records import convert_record

_KIND = "parts"
_MAX_VALUES = 2**24  # that of VGG16 has half a million
_CURE = "Train it again with `parts --force`."


@dataclass(frozen=True)
class PartAccuracy:
    """How well parts and boxes are found on held-out photos.

    Attributes
    ----------
    photos : int
        How many photos.
    pck : float
        PCK@0.1: share of visible parts found within a tenth of the box's longer side.
    part_pck : tuple of float or None
        The same of each part; None for a part that is never visible.
    visibility_auc : float or None
        Area under the ROC curve of telling visible parts from others, over all parts together.
    mean_part_auc : float or None
        Mean of the same over single parts.
    overlap : float
        Mean overlap (intersection over union) of found and true boxes.
    """

    photos: int
    pck: float
    part_pck: tuple[float | None, ...]
    visibility_auc: float | None
    mean_part_auc: float | None
    overlap: float


@dataclass(frozen=True)
class PartRecord:
    """The record in the file of a part finder.

    Attributes
    ----------
    layer : str
        Layer of the classifier that it reads.
    backbone_sha256 : str
        Hash of the classifier.
    part_names : tuple of str
        In the order of its outputs.
    shape : PartFinderShape
        Its sizes.
    accuracy : PartAccuracy
        On held-out photos.
    weights_sha256 : str
        Hash of its weights; set by `save_part_finder`.
    """

    layer: str
    backbone_sha256: str
    part_names: tuple[str, ...]
    shape: PartFinderShape
    accuracy: PartAccuracy
    weights_sha256: str = ""

    def __post_init__(self) -> None:
        if not len(self.part_names) == self.shape.parts == len(self.accuracy.part_pck):
            raise ValueError("its numbers of parts contradict each other")


def save_part_finder(
    path: Path, finder: PartFinder, record: PartRecord, *, half: bool = False
) -> None:
    """Write a part finder with everything needed to verify it.

    For `half`, its weights must have been rounded (see `explorer.nn.checkpoint.round_to_half`).
    """
    weights = finder.state_dict()
    header = {"kind": _KIND, **asdict(record), "weights_sha256": compute_sha256(weights)}
    save_tensors(path, weights, header, half=half)


def load_part_finder(path: Path, backbone: Backbone) -> tuple[PartFinder, PartRecord]:
    """Read the part finder of a classifier, in evaluation mode.

    Raises
    ------
    CheckpointError
        When the file is missing or damaged, or belongs to another classifier.
    """
    found = load_weights_header(path, _MAX_VALUES)
    header = parse_header(path, found)
    if header.get("kind") != _KIND:
        raise CheckpointError(f"{path} is not a part finder written by the explorer.")
    try:
        record = convert_record(header, PartRecord)
    except ValueError as error:
        raise CheckpointError(f"{path} has an invalid description: {error}. {_CURE}") from error
    if record.backbone_sha256 != backbone.sha256:
        raise CheckpointError(
            f"{path} was trained on another network (hash {record.backbone_sha256[:12]}…) than "
            f"the one in this workspace ({backbone.sha256[:12]}…). {_CURE}"
        )
    with torch.device("meta"):
        finder = PartFinder(record.shape)
    expected = {name: tuple(tensor.shape) for name, tensor in finder.state_dict().items()}
    is_known = record.layer in backbone.stops
    if not is_known or backbone.get_grid(record.layer)[0] != record.shape.channels:
        raise CheckpointError(f"{path} reads a layer that the network does not have. {_CURE}")
    if expected != found.shapes:
        raise CheckpointError(f"{path} contradicts its own description. {_CURE}")
    tensors, _ = load_tensors(path, max_values=_MAX_VALUES, only_floats=True)
    if record.weights_sha256 != compute_sha256(tensors):
        raise CheckpointError(
            f"{path} is damaged: its weights are not those that were saved. Replace it with an "
            f"intact copy. {_CURE}"
        )
    finder.to_empty(device="cpu").load_state_dict(tensors)
    return finder.eval().requires_grad_(False), record
