"""Finding names for the x-features of a module: the attribute, the part, or the background.

First the heat of each x-feature is measured, which takes drawn maps; then names are found from it
and from the activations, which takes none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explorer.analysis.locality import PartHistogram, compute_mean_histogram
from explorer.analysis.naming import Heat
from explorer.config import Progress, Steps
from explorer.data.attributes import load_attributes
from explorer.measuring.name_records import FeatureHeat, FeatureName
from explorer.measuring.namer import Namer
from explorer.measuring.parts import PhotoParts, load_parts
from explorer.measuring.scores import ModuleScores
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace

_PHOTOS_AGAINST = 8  # of other birds, for each x-feature that lowers the score
_DIGITS = 4  # of stored shares


@dataclass(frozen=True, eq=False)
class DrawnPhoto:
    """Where the heat of all x-features lies on a photo, and what is there by area."""

    histogram: PartHistogram
    areas: NDArray[np.float64]
    outside_area: float


def measure_drawn(parts: PhotoParts, histogram: PartHistogram) -> DrawnPhoto:
    """Put the histogram of a photo's maps together with the areas of its parts."""
    return DrawnPhoto(histogram, parts.compute_areas(), parts.outside_area)


def measure_heats(
    workspace: Workspace,
    entry: ModuleEntry,
    scores: ModuleScores,
    live: NDArray[np.bool_],
    own_photos: Sequence[DrawnPhoto],
) -> Steps[tuple[FeatureHeat | None, ...]]:
    """Measure where the heat of each x-feature lies on the photos that name it.

    These are training photos of the module's category. For an x-feature with a negative weight,
    they are the photos of other birds on which it fires most.

    Parameters
    ----------
    workspace, entry
        The module.
    scores : ModuleScores
        Its outputs for all photos.
    live : ndarray, shape (K,), bool
        X-features that contribute to any photo; the others have no heat.
    own_photos : sequence of DrawnPhoto
        Training photos of the module's category.

    Yields
    ------
    Progress
        For each photo of other birds that is drawn.
    """
    is_against = workspace.networks.read_weights(entry) < 0
    is_training = _find_training_photos(workspace, scores)
    against = _choose_photos_against(scores, is_training, np.flatnonzero(is_against & live))
    drawn = yield from _draw(workspace, entry, sorted(set().union(*against.values())))
    return tuple(
        average_heat([drawn[one] for one in against[feature]], feature)
        if feature in against
        else average_heat(own_photos, feature)
        if live[feature]
        else None
        for feature in range(len(live))
    )


def name_features(
    workspace: Workspace,
    entry: ModuleEntry,
    scores: ModuleScores,
    heats: Sequence[FeatureHeat | None],
) -> tuple[FeatureName, ...]:
    """Find a name for each x-feature of a module, from its heat and its activations.

    Activations are averaged over the photos of each category that the classifier was trained on.
    An x-feature with a negative weight is named after what other birds have; one without heat stays
    unclear.

    Parameters
    ----------
    workspace, entry
        The module.
    scores : ModuleScores
        Its outputs for all photos.
    heats : sequence
        (K,), from `measure_heats`.
    """
    is_against = (workspace.networks.read_weights(entry) < 0).tolist()
    is_training = _find_training_photos(workspace, scores)
    labels = [workspace.dataset.get_photo(i).category_index for i in scores.image_ids.tolist()]
    means = compute_means(scores.x_features[is_training], np.array(labels)[is_training])
    namer = Namer(
        workspace.dataset.categories, entry.category, workspace.dataset.part_names, *means
    )
    table = load_attributes(workspace.dataset)
    return tuple(
        FeatureName("unclear", "unclear", is_against[feature])
        if heat is None
        else namer.name(feature, _read_heat(heat), table, is_against=is_against[feature])
        for feature, heat in enumerate(heats)
    )


def _find_training_photos(workspace: Workspace, scores: ModuleScores) -> NDArray[np.bool_]:
    """Find the photos that the classifier was trained on."""
    held_out = [photo.image_id for photo in workspace.held_out]
    return ~np.isin(scores.image_ids, held_out)


def _choose_photos_against(
    scores: ModuleScores, is_training: NDArray[np.bool_], features: NDArray[np.intp]
) -> dict[int, list[int]]:
    """Choose the ids of the photos of other birds on which each x-feature fires most."""
    rows = np.flatnonzero(is_training & ~scores.is_positive)
    chosen = {}
    for feature in features.tolist():
        activations = scores.x_features[rows, feature]
        top = np.argsort(-activations, kind="stable")[:_PHOTOS_AGAINST]
        chosen[feature] = scores.image_ids[rows[top[activations[top] > 0]]].tolist()
    return {feature: photos for feature, photos in chosen.items() if photos}


def _draw(
    workspace: Workspace, entry: ModuleEntry, image_ids: Sequence[int]
) -> Steps[Mapping[int, DrawnPhoto]]:
    drawn = {}
    for done, image_id in enumerate(image_ids, start=1):
        parts = load_parts(workspace.dataset.get_photo(image_id))
        maps = workspace.networks.explain(entry, parts.image).maps
        drawn[image_id] = measure_drawn(parts, parts.measure(maps))
        yield Progress("Drawing heatmaps of other birds", done, len(image_ids))
    return drawn


def compute_means(
    x_features: NDArray[np.float32], labels: NDArray[np.integer]
) -> tuple[NDArray[np.float64], NDArray[np.integer]]:
    """Average activations (M, K) over the photos of each category that has any.

    Returns
    -------
    means : (C, K) float64
        Mean activations.
    rows : (C,) int
        Index of each of these categories.
    """
    rows, places, counts = np.unique(labels, return_inverse=True, return_counts=True)
    sums = np.zeros((len(rows), x_features.shape[1]))
    np.add.at(sums, places, x_features)
    return sums / counts[:, np.newaxis], rows


def average_heat(photos: Sequence[DrawnPhoto], feature: int) -> FeatureHeat:
    """Average where the heat of an x-feature lies, over the photos on which it has any."""
    histogram = compute_mean_histogram(
        np.stack([photo.histogram.values for photo in photos]),
        np.stack([photo.histogram.is_live for photo in photos]),
    )
    areas = np.mean([photo.areas for photo in photos], axis=0)
    return FeatureHeat(
        shares=_round(histogram.values[feature]),
        areas=_round(areas),
        outside=round(float(histogram.outside[feature]), _DIGITS),
        outside_area=round(float(np.mean([photo.outside_area for photo in photos])), _DIGITS),
    )


def _round(values: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(round(value, _DIGITS) for value in values.tolist())


def _read_heat(heat: FeatureHeat) -> Heat:
    return Heat(np.array(heat.shares), np.array(heat.areas), heat.outside, heat.outside_area)
