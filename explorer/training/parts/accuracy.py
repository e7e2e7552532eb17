"""How well a part finder finds parts and boxes."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from explorer.analysis.activation import compute_auc
from explorer.analysis.part_finding import are_within, compute_overlaps
from explorer.nn.part_finder import FoundArrays, PartFinder, decode_output
from explorer.nn.part_finder_file import PartAccuracy
from explorer.training.parts.targets import PartTargets

_BATCH_SIZE = 64


@torch.inference_mode()
def find_all(finder: PartFinder, maps: NDArray[np.float16], rows: NDArray[np.intp]) -> FoundArrays:
    """Find parts and boxes on some rows of maps (N, C, h, w)."""
    finder.eval()
    device = next(finder.parameters()).device
    batches = []
    for start in range(0, len(rows), _BATCH_SIZE):
        batch = np.asarray(maps[rows[start : start + _BATCH_SIZE]], np.float32)
        batches.append(decode_output(finder(torch.from_numpy(batch).to(device))))
    return FoundArrays(*(np.concatenate(arrays) for arrays in zip(*batches, strict=True)))


def measure_accuracy(found: FoundArrays, targets: PartTargets) -> PartAccuracy:
    """Compare what was found on photos with their annotations."""
    visible = targets.visible
    near = are_within(found.points, targets.points, targets.boxes, targets.sizes)
    seen = visible.sum(axis=0)
    aucs = [compute_auc(*pair) for pair in zip(found.visibility.T, visible.T, strict=True)]
    defined = [auc for auc in aucs if auc is not None]
    return PartAccuracy(
        photos=len(visible),
        pck=float(near.sum() / max(1, visible.sum())),
        part_pck=tuple(_divide(*pair) for pair in zip(near.sum(axis=0), seen, strict=True)),
        visibility_auc=compute_auc(found.visibility.ravel(), visible.ravel()),
        mean_part_auc=float(np.mean(defined)) if defined else None,
        overlap=float(compute_overlaps(found.boxes, targets.boxes).mean()),
    )


def _divide(count: Any, total: Any) -> float | None:
    return float(count / total) if total else None
