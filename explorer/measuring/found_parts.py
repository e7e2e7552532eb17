"""Parts that were found instead of annotated, and what that changes in measures and names."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explorer.analysis.locality import PartHistogram, compute_locality, compute_mean_histogram
from explorer.config import Progress, Steps
from explorer.data.photo import Photo
from explorer.measuring.naming import DrawnPhoto, average_heat, measure_drawn, name_features
from explorer.measuring.parts import PhotoParts, load_parts
from explorer.measuring.scores import ModuleScores, score_photos
from explorer.nn.part_finder import FoundParts
from explorer.workspace.layout import ModuleEntry, WorkspaceError
from explorer.workspace.workspace import Workspace

_MOST_MODULES, _PHOTOS_OF_EACH = 20, 5


def make_found_parts(image: NDArray[np.uint8], found: FoundParts) -> PhotoParts:
    """Return a photo with the box and the parts that were found on it."""
    return PhotoParts(image, found.box, found.points, found.visible)


@dataclass(frozen=True)
class PartAgreement:
    """How far measures and names from found parts agree with those from annotated ones.

    Attributes
    ----------
    photos, x_features : int
        Number of held-out photos, and of x-features of modules, that were compared.
    overlap : float
        Mean over maps of Σ min(S, S'), the overlap of the two part histograms, in [0, 1].
    correlation : float or None
        Pearson correlation of the shares over all maps and parts; None if one of them is the same
        everywhere.
    locality_difference : float or None
        Mean over x-features of how much the locality of their mean histograms differs, in nats;
        None if it is defined for none of them.
    same_names : float or None
        Share of the x-features that get the same name from the heat on these photos, in [0, 1];
        None if none of them has heat inside both boxes.
    """

    photos: int
    x_features: int
    overlap: float
    correlation: float | None
    locality_difference: float | None
    same_names: float | None = None


@dataclass(frozen=True, eq=False)
class SeenPhoto:
    """Where the heat lies on a photo, by true and by found parts."""

    true: DrawnPhoto
    found: DrawnPhoto


def measure_agreement(
    workspace: Workspace, entries: Sequence[ModuleEntry]
) -> Steps[PartAgreement | None]:
    """Compare part histograms and names on held-out photos.

    At most 20 modules are taken, evenly spaced, and five photos of the category of each.

    Parameters
    ----------
    workspace : Workspace
        With photos.
    entries : sequence of ModuleEntry
        Modules.

    Returns
    -------
    PartAgreement or None
        None without a part finder, or if no held-out photo has a module or a map with heat.
    """
    if workspace.networks.load_part_finder() is None:
        return None
    photos = {entry: _choose_photos(workspace, entry.category) for entry in entries}
    usable = [entry for entry in entries if photos[entry]]
    chosen = [usable[place] for place in _space(len(usable), _MOST_MODULES)]
    features = yield from workspace.networks.compute_features()
    total, done, seen, is_same = sum(len(photos[entry]) for entry in chosen), 0, [], []
    for entry in chosen:
        own = []
        for photo in photos[entry]:
            own.append(_look(workspace, entry, photo))
            done += 1
            yield Progress("Comparing found parts with true ones", done, total)
        seen.append(own)
        is_same += _compare_names(workspace, entry, score_photos(workspace, entry, features), own)
    return summarise_agreement(seen, is_same)


def _choose_photos(workspace: Workspace, category: str) -> list[Photo]:
    held_out = [photo for photo in workspace.held_out if photo.category == category]
    return [held_out[place] for place in _space(len(held_out), _PHOTOS_OF_EACH)]


def _space(count: int, most: int) -> list[int]:
    """Choose at most so many of the numbers below `count`, evenly spaced."""
    places = np.linspace(0, count - 1, min(most, count))
    return [round(place) for place in places.tolist()]


def _look(workspace: Workspace, entry: ModuleEntry, photo: Photo) -> SeenPhoto:
    true = load_parts(photo)
    points = workspace.networks.find_parts(true.image)
    if points is None:
        raise WorkspaceError(f"The part finder of {workspace.path} was removed meanwhile.")
    found = make_found_parts(true.image, points)
    maps = workspace.networks.explain(entry, true.image).maps
    return SeenPhoto(*(measure_drawn(parts, parts.measure(maps)) for parts in (true, found)))


def _compare_names(
    workspace: Workspace, entry: ModuleEntry, scores: ModuleScores, seen: Sequence[SeenPhoto]
) -> list[bool]:
    """Say of each x-feature with heat inside both boxes whether it keeps its name."""
    sides = [[one.true for one in seen], [one.found for one in seen]]
    has_heat = np.all(
        [np.any([one.histogram.is_live for one in side], axis=0) for side in sides], axis=0
    )
    true, found = (
        name_features(
            workspace,
            entry,
            scores,
            [average_heat(side, i) if live else None for i, live in enumerate(has_heat)],
        )
        for side in sides
    )
    pairs = zip(true, found, has_heat, strict=True)
    return [one.words == other.words for one, other, live in pairs if live]


def summarise_agreement(
    seen: Sequence[Sequence[SeenPhoto]], is_same: Sequence[bool] = ()
) -> PartAgreement | None:
    """Summarise how the photos of each module look, and which x-features keep their names."""
    pairs = [[(one.true.histogram, one.found.histogram) for one in own] for own in seen]
    flat = [pair for own in pairs for pair in own]
    live = [(true.values[true.is_live], found.values[true.is_live]) for true, found in flat]
    if not any(len(true) for true, _ in live):
        return None
    true, found = (np.concatenate(side) for side in zip(*live, strict=True))
    # The shares outside the box belong to the histograms.
    outside = np.minimum(1 - true.sum(axis=1), 1 - found.sum(axis=1))
    differences = np.concatenate([_compare_locality(own) for own in pairs])
    return PartAgreement(
        photos=len(flat),
        x_features=len(differences),
        overlap=float((np.minimum(true, found).sum(axis=1) + outside).mean()),
        correlation=_correlate(true.ravel(), found.ravel()),
        locality_difference=float(differences.mean()) if len(differences) else None,
        same_names=float(np.mean(is_same)) if is_same else None,
    )


def _correlate(one: NDArray[np.float64], other: NDArray[np.float64]) -> float | None:
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return None
    return float(np.corrcoef(one, other)[0, 1])


def _compare_locality(
    pairs: Sequence[tuple[PartHistogram, PartHistogram]],
) -> NDArray[np.float64]:
    """Return how much the locality of each x-feature with heat differs."""
    sides = [
        compute_mean_histogram([one.values for one in side], [one.is_live for one in side])
        for side in zip(*pairs, strict=True)
    ]
    is_defined = sides[0].is_defined & sides[1].is_defined
    true, found = (compute_locality(side.values)[0] for side in sides)
    differences: NDArray[np.float64] = np.abs(true - found)[is_defined]
    return differences
