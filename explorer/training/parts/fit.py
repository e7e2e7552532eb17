"""Fitting a part finder to maps of the classifier that were computed before."""

import copy
import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from explorer.config import ExplorerError, Progress, Steps
from explorer.nn.part_finder import PartFinder, PartFinderShape
from explorer.nn.part_finder_file import PartAccuracy
from explorer.training.classifier.precision import Precision
from explorer.training.classifier.starts import fork_random_state
from explorer.training.parts.accuracy import find_all, measure_accuracy
from explorer.training.parts.loss import compute_loss
from explorer.training.parts.settings import PartSettings
from explorer.training.parts.targets import PartTargets

_STAGE = "Learning where parts are"


@dataclass(frozen=True, eq=False)
class PartViews:
    """Maps of N photos, each in several views, and what is to be found on them.

    Attributes
    ----------
    maps : NDArray of float16
        (V * N, C, h, w): the first view of all photos, then the second, and so on.
    targets : tuple of PartTargets
        (V,), of N photos each.
    """

    maps: NDArray[np.float16]
    targets: tuple[PartTargets, ...]

    def __len__(self) -> int:
        return len(self.targets[0].boxes)

    def select_targets(self, rows: NDArray[np.intp], view: int = 0) -> PartTargets:
        """Return the annotations of some photos in a view."""
        own = self.targets[view]
        return PartTargets(own.points[rows], own.boxes[rows], own.sizes[rows])


def fit_part_finder(
    views: PartViews, settings: PartSettings, precision: Precision
) -> Steps[PartFinder]:
    """Train a part finder, and return that of the best epoch.

    The best epoch is that with the highest sum of PCK, AUC and overlap on the validation photos.

    Parameters
    ----------
    views : PartViews
        Of two photos or more, from which validation photos are drawn.
    settings : PartSettings
        How it is trained.
    precision : Precision
        Precision and device of the training.

    Yields
    ------
    Progress
        One per batch.

    Raises
    ------
    ExplorerError
        When the loss is no longer finite.
    """
    rng = np.random.default_rng(settings.seed)
    order = rng.permutation(len(views))
    held = min(len(order) - 1, max(1, round(settings.validation_share * len(order))))
    validation, rows = np.sort(order[:held]), order[held:]
    shape = PartFinderShape(views.maps.shape[1], views.targets[0].points.shape[1], settings.width)
    with fork_random_state(precision.device, settings.seed):
        finder = PartFinder(shape).to(precision.device)
    optimiser = torch.optim.AdamW(
        finder.parameters(), settings.learning_rate, weight_decay=settings.weight_decay
    )
    batches = -(-len(rows) // settings.batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, settings.epochs * batches)
    best, best_score, waited = copy.deepcopy(finder), -np.inf, 0
    values: dict[str, float] = {}
    for epoch in range(settings.epochs):
        finder.train()
        for done, chosen in enumerate(np.array_split(rng.permutation(rows), batches), start=1):
            batch = _draw_batch(views, chosen, rng)
            maps, points, boxes = (tensor.to(precision.device) for tensor in batch)
            seed = int(rng.integers(2**62))  # of dropout, which knows only the global state
            with fork_random_state(precision.device, seed), precision.autocast():
                output = finder(maps)
            loss = compute_loss(output, points, boxes)
            precision.step(loss, optimiser)
            schedule.step()
            values["loss"] = float(loss.detach())
            if not math.isfinite(values["loss"]):
                raise ExplorerError("The loss is no longer finite. Lower --learning-rate.")
            yield Progress(_STAGE, epoch * batches + done, settings.epochs * batches, {**values})
        found = find_all(finder, views.maps, validation)
        accuracy = measure_accuracy(found, views.select_targets(validation))
        values |= {"pck": accuracy.pck, "box": accuracy.overlap}
        score, waited = _sum_up(accuracy), waited + 1
        if score > best_score:
            best, best_score, waited = copy.deepcopy(finder), score, 0
        if waited >= settings.patience:
            break
    return best.eval().requires_grad_(False).cpu()


def _draw_batch(
    views: PartViews, rows: NDArray[np.intp], rng: np.random.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the maps, points and boxes of photos, each in a view drawn at random."""
    view = rng.integers(len(views.targets), size=len(rows))
    chosen = [(views.targets[v], row) for v, row in zip(view, rows, strict=True)]
    return (
        torch.from_numpy(np.asarray(views.maps[view * len(views) + rows], np.float32)),
        torch.from_numpy(np.stack([targets.points[row] for targets, row in chosen])),
        torch.from_numpy(np.stack([targets.boxes[row] for targets, row in chosen])),
    )


def _sum_up(accuracy: PartAccuracy) -> float:
    return accuracy.pck + (accuracy.visibility_auc or 0.0) + accuracy.overlap
