"""Measuring a module: faithfulness, locality, whether its x-features differ, and their names."""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from explorer.analysis.concepts import PairOverlaps, compute_pair_overlaps
from explorer.analysis.faithfulness import compute_contributions, compute_live_mask
from explorer.analysis.locality import PartHistogram
from explorer.config import Progress, Steps, run
from explorer.measuring.naming import DrawnPhoto, measure_drawn, measure_heats, name_features
from explorer.measuring.parts import load_parts
from explorer.measuring.records import (
    SIDES,
    ModuleMeasures,
    OwnLocality,
    SideMeasures,
    load_module_measures,
    make_damage_error,
    save_module_measures,
)
from explorer.measuring.scores import score_photos
from explorer.measuring.summaries import (
    measure_concepts,
    measure_firing,
    measure_locality,
    measure_side,
)
from explorer.nn.explanation import DEFAULT_STOP
from explorer.nn.records import ModuleRecord
from explorer.nn.srae import apply_module
from explorer.storage.writing import refuse_if_public
from explorer.workspace.features import select_scores
from explorer.workspace.layout import ModuleEntry, ModuleName
from explorer.workspace.workspace import Workspace

_MOST_NAMING_PHOTOS = 20  # they only say on which parts an x-feature looks


def measure_module(workspace: Workspace, entry: ModuleEntry) -> Steps[ModuleMeasures]:
    """Measure a module and write the result to ``metrics.json`` in its folder.

    Faithfulness is measured on the training and the test photos of the module's split, locality and
    the difference of x-features on the test photos of its category. X-features are named by some
    of its training photos (see `explorer.measuring.naming`).

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
    firing = {}
    for side in SIDES:
        z, y_hat, is_positive = select_scores(
            workspace, features, record.category, record.split[side]
        )
        x_features, y_bar = apply_module(module, z)
        contributions.append(compute_contributions(x_features, v))
        sides[side] = measure_side(y_bar, y_hat, contributions[-1], is_positive)
        firing[side] = measure_firing(x_features, is_positive, record.split[side])
    live = compute_live_mask(np.concatenate(contributions))
    drawn = yield from _draw_own_photos(workspace, entry, record)
    locality = OwnLocality(test=measure_locality(drawn.histograms, live))
    scores = score_photos(workspace, entry, features)
    heats = yield from measure_heats(workspace, entry, scores, live, drawn.training)
    measures = ModuleMeasures(
        classifier_sha256=networks.backbone.sha256,
        weights_sha256=record.weights_sha256,
        stop=DEFAULT_STOP,
        train=sides["train"],
        test=sides["test"],
        live=tuple(live.tolist()),
        locality=locality,
        concepts=measure_concepts(
            np.reshape(drawn.contributions, (-1, len(v))), drawn.overlaps, locality.test
        ),
        names=name_features(workspace, entry, scores, heats),
        heats=heats,
        firing=firing["test"],
    )
    save_module_measures(entry, measures)
    return measures


def rename_features(workspace: Workspace, entry: ModuleEntry) -> Steps[bool]:
    """Find the names of a module's x-features again, from the heat in its measures; store them.

    Returns
    -------
    bool
        False if the module is not measured, or was before its heat was stored.

    Raises
    ------
    WorkspaceError
        When its heat is on other parts than the data set has.
    PublicError
        On a public server.
    """
    refuse_if_public()
    measures = load_module_measures(workspace, entry)
    if measures is None or not measures.heats:
        return False
    parts = len(workspace.dataset.part_names)
    if any(heat is not None and len(heat.shares) != parts for heat in measures.heats):
        reason = f"the data set has {parts} parts"
        raise make_damage_error(workspace, entry.metrics_path, reason, "the module")
    features = yield from workspace.networks.compute_features()
    scores = score_photos(workspace, entry, features)
    names = name_features(workspace, entry, scores, measures.heats)
    save_module_measures(entry, replace(measures, names=names))
    return True


@dataclass(frozen=True)
class MeasuringTask(ModuleName):
    """A module to measure, for the engines of `explorer.engines`."""

    def execute(self, workspace: Workspace) -> None:
        """Measure the module and store its measures."""
        run(measure_module(workspace, self.get_entry(workspace.path)))


@dataclass(frozen=True, eq=False)
class _Drawn:
    """What is measured on the maps: of photos for testing, and of those that name x-features."""

    histograms: list[PartHistogram] = field(default_factory=list)
    contributions: list[NDArray[np.float32]] = field(default_factory=list)
    overlaps: list[PairOverlaps] = field(default_factory=list)
    training: list[DrawnPhoto] = field(default_factory=list)


def _draw_own_photos(
    workspace: Workspace, entry: ModuleEntry, record: ModuleRecord
) -> Steps[_Drawn]:
    drawn = _Drawn()
    own = workspace.dataset.photos_of(entry.category)
    train, test = ([photo for photo in own if photo.image_id in record.split[s]] for s in SIDES)
    naming = train[:: -(-len(train) // _MOST_NAMING_PHOTOS) or 1]
    photos = [*naming, *test]
    for done, photo in enumerate(photos, start=1):
        parts = load_parts(photo)
        explained = workspace.networks.explain(entry, parts.image)
        histogram = parts.measure(explained.maps)
        if done <= len(naming):
            drawn.training.append(measure_drawn(parts, histogram))
        else:
            drawn.histograms.append(histogram)
            drawn.contributions.append(explained.contributions)
            drawn.overlaps.append(compute_pair_overlaps(explained.maps, explained.contributions))
        yield Progress("Drawing heatmaps", done, len(photos))
    return drawn
