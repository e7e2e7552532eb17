"""Measuring the faithfulness of a module's score and the locality of its x-features."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from explorer.analysis.faithfulness import (
    compute_contributions,
    compute_live_mask,
)
from explorer.analysis.locality import PartHistogram
from explorer.config import Progress, Steps
from explorer.measuring.parts import load_parts
from explorer.measuring.records import (
    SIDES,
    LocalityBySide,
    ModuleMeasures,
    SideMeasures,
    save_module_measures,
)
from explorer.measuring.summaries import measure_locality, measure_side
from explorer.nn.explanation import DEFAULT_STOP
from explorer.nn.records import ModuleRecord
from explorer.nn.srae import apply_module
from explorer.storage.writing import refuse_if_public
from explorer.workspace.features import select_scores
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace


def measure_module(workspace: Workspace, entry: ModuleEntry) -> Steps[ModuleMeasures]:
    """Measure a module and write the result to ``metrics.json`` in its folder.

    Faithfulness is measured on the training and the test photos of the module's split, locality on
    those that belong to its category.

    Raises
    ------
    PublicError
        On a public server.
    """
    refuse_if_public()
    workspace.require_photos()
    networks = workspace.networks
    module, record = networks.load_module(entry)
    features = yield from workspace.networks.compute_features()
    v = module.v.weight[0].cpu().numpy()
    sides: dict[str, SideMeasures] = {}
    contributions = []
    for side in SIDES:
        z, y_hat, is_positive = select_scores(
            workspace, features, record.category, record.split[side]
        )
        x_features, y_bar = apply_module(module, z)
        contributions.append(compute_contributions(x_features, v))
        sides[side] = measure_side(y_bar, y_hat, contributions[-1], is_positive)
    live = compute_live_mask(np.concatenate(contributions))
    locality = yield from _measure_locality(workspace, entry, record, live)
    measures = ModuleMeasures(
        classifier_sha256=networks.backbone.sha256,
        weights_sha256=record.weights_sha256,
        stop=DEFAULT_STOP,
        train=sides["train"],
        test=sides["test"],
        live=tuple(live.tolist()),
        locality=locality,
    )
    save_module_measures(entry, measures)
    return measures


def _measure_locality(
    workspace: Workspace, entry: ModuleEntry, record: ModuleRecord, live: NDArray[np.bool_]
) -> Steps[LocalityBySide]:
    groups: Mapping[str, list[PartHistogram]] = {"all": [], "train": [], "test": []}
    photos = workspace.dataset.photos_of(entry.category)
    for done, photo in enumerate(photos, start=1):
        parts = load_parts(photo)
        histogram = parts.measure(workspace.networks.explain(entry, parts.image).maps)
        groups["all"].append(histogram)
        for side in SIDES:
            if photo.image_id in record.split[side]:
                groups[side].append(histogram)
        yield Progress("Drawing heatmaps", done, len(photos))
    return LocalityBySide(**{name: measure_locality(own, live) for name, own in groups.items()})
