"""Finding names for the x-features of a module: the attribute, the part, or the background."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explorer.analysis.locality import PartHistogram, compute_mean_histogram
from explorer.analysis.naming import (
    HAS_SHARE,
    Heat,
    find_attribute,
    find_categories,
    find_part,
)
from explorer.config import Progress, Steps
from explorer.data.attributes import AttributeTable, load_attributes
from explorer.measuring.name_records import MAX_ALSO_ON, FeatureName
from explorer.measuring.parts import PhotoParts, load_parts
from explorer.measuring.scores import ModuleScores, score_photos
from explorer.workspace.features import Features
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace

_PHOTOS_AGAINST = 8  # of other birds, for each x-feature that lowers the score
_PAIRED = {"eye": "eyes", "leg": "legs", "wing": "wings"}


@dataclass(frozen=True, eq=False)
class DrawnPhoto:
    """Where the heat of all x-features lies on a photo, and what is there by area."""

    histogram: PartHistogram
    areas: NDArray[np.float64]
    outside_area: float


def measure_drawn(parts: PhotoParts, histogram: PartHistogram) -> DrawnPhoto:
    """Put the histogram of a photo's maps together with the areas of its parts."""
    return DrawnPhoto(histogram, parts.compute_areas(), parts.outside_area)


def name_features(
    workspace: Workspace,
    entry: ModuleEntry,
    features: Features,
    live: NDArray[np.bool_],
    own_photos: Sequence[DrawnPhoto],
) -> Steps[tuple[FeatureName, ...]]:
    """Find a name for each x-feature of a module.

    Activations are averaged over the photos of each category that the classifier was trained on.
    An x-feature with a negative weight is named after what other birds have, and its heat is taken
    from the photos of other birds on which it fires most.

    Parameters
    ----------
    workspace, entry
        The module.
    features : Features
        Of all photos.
    live : ndarray, shape (K,), bool
        X-features that contribute to any photo; the others stay unclear.
    own_photos : sequence of DrawnPhoto
        Training photos of the module's category.

    Yields
    ------
    Progress
        For each photo of other birds that is drawn.
    """
    scores = score_photos(workspace, entry, features)
    is_against = workspace.networks.read_weights(entry) < 0
    held_out = [photo.image_id for photo in workspace.held_out]
    is_training = ~np.isin(scores.image_ids, held_out)
    against = _choose_photos_against(scores, is_training, np.flatnonzero(is_against & live))
    drawn = yield from _draw(workspace, entry, sorted(set().union(*against.values())))
    labels = [workspace.dataset.get_photo(i).category_index for i in scores.image_ids.tolist()]
    means = compute_means(scores.x_features[is_training], np.array(labels)[is_training])
    namer = Namer(
        workspace.dataset.categories, entry.category, workspace.dataset.part_names, *means
    )
    table = load_attributes(workspace.dataset)
    return tuple(
        namer.name(
            feature,
            _average([drawn[one] for one in against[feature]], feature)
            if feature in against
            else _average(own_photos, feature),
            table,
            is_against=bool(is_against[feature]),
        )
        if live[feature]
        else FeatureName("unclear", "unclear", bool(is_against[feature]))
        for feature in range(len(live))
    )


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


def _average(photos: Sequence[DrawnPhoto], feature: int) -> Heat:
    histogram = compute_mean_histogram(
        np.stack([photo.histogram.values for photo in photos]),
        np.stack([photo.histogram.is_live for photo in photos]),
    )
    return Heat(
        shares=histogram.values[feature],
        areas=np.mean([photo.areas for photo in photos], axis=0),
        outside=float(histogram.outside[feature]),
        outside_area=float(np.mean([photo.outside_area for photo in photos])),
    )


def group_parts(part_names: Sequence[str]) -> tuple[tuple[str, ...], NDArray[np.bool_]]:
    """Put left and right parts together.

    Returns
    -------
    words : tuple of str
        G names, such as "wings".
    groups : (G, P) bool
        The parts of each.
    """
    words = []
    for name in part_names:
        side, _, noun = name.partition(" ")
        words.append(_PAIRED.get(noun, noun) if side in ("left", "right") and noun else name)
    names = tuple(dict.fromkeys(words))
    return names, np.array([[word == name for word in words] for name in names])


@dataclass(frozen=True, eq=False)
class Namer:
    """Names the x-features of one module.

    Attributes
    ----------
    categories : sequence of str
        All categories of the data set.
    category : str
        The module's.
    part_names : sequence of str
        P names.
    means : NDArray of float64
        (C, K), mean activations on the training photos of categories that have any.
    rows : NDArray of int
        (C,), indices of these among `categories`.
    """

    categories: Sequence[str]
    category: str
    part_names: Sequence[str]
    means: NDArray[np.float64]
    rows: NDArray[np.integer]

    def name(
        self, feature: int, heat: Heat, table: AttributeTable | None, *, is_against: bool
    ) -> FeatureName:
        """Name an x-feature, counted from 0; by part alone without a table."""
        means = self.means[:, feature]
        fires_on = self.rows[find_categories(means)].tolist()
        others = [index for index in fires_on if self.categories[index] != self.category]
        if table is not None and fires_on:
            found = self._name_by_attribute(feature, heat, table, others, is_against)
            if found is not None:
                return found
        also_on = tuple(self.categories[index] for index in others[:MAX_ALSO_ON])
        if heat.is_outside:
            return FeatureName(
                "background", "background", is_against, heat=heat.outside, also_on=also_on
            )
        words, groups = group_parts(self.part_names)
        place = find_part(heat, groups)
        if place is None:
            return FeatureName("unclear", "unclear", is_against, also_on=also_on)
        return FeatureName(
            "part",
            words[place],
            is_against,
            parts=self._list_parts(groups[place]),
            heat=float(heat.sum_over(groups[place])),
            also_on=also_on,
        )

    def _name_by_attribute(
        self,
        feature: int,
        heat: Heat,
        table: AttributeTable,
        others: Sequence[int],
        is_against: bool,
    ) -> FeatureName | None:
        has = table.shares >= HAS_SHARE
        chosen = [self.categories.index(self.category)]
        is_candidate = has[chosen[0]]
        if is_against:
            # What speaks against a category is a mark of the bird on which it fires most.
            chosen += others[:1]
            is_candidate = ~is_candidate & has[chosen[-1]]
        parts = np.array([[name in seen for name in self.part_names] for seen in table.parts])
        found = find_attribute(
            self.means[:, feature],
            table.shares[self.rows],
            parts,
            heat,
            is_candidate=is_candidate,
            is_chosen=np.isin(self.rows, chosen),
        )
        if found is None:
            return None
        sharing = [index for index in others if has[index, found.attribute]]
        return FeatureName(
            "attribute",
            table.words[found.attribute],
            is_against,
            parts=self._list_parts(parts[found.attribute]),
            heat=float(heat.sum_over(parts[found.attribute])),
            correlation=found.correlation,
            low=found.low,
            high=found.high,
            elsewhere=found.elsewhere,
            also_on=tuple(self.categories[index] for index in sharing[:MAX_ALSO_ON]),
        )

    def _list_parts(self, is_in: NDArray[np.bool_]) -> tuple[str, ...]:
        pairs = zip(self.part_names, is_in, strict=True)
        return tuple(name for name, is_one in pairs if is_one)
