"""Parts that were found instead of annotated, and what that changes in the measures."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explorer.analysis.locality import PartHistogram, compute_locality, compute_mean_histogram
from explorer.config import Progress, Steps
from explorer.measuring.parts import PhotoParts, load_parts
from explorer.nn.part_finder import FoundParts
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace

_MOST_PHOTOS = 100


def make_found_parts(image: NDArray[np.uint8], found: FoundParts) -> PhotoParts:
    """Return a photo with the box and the parts that were found on it."""
    return PhotoParts(image, found.box, found.points, found.visible)


@dataclass(frozen=True)
class PartAgreement:
    """How far measures from found parts agree with those from annotated ones.

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
    """

    photos: int
    x_features: int
    overlap: float
    correlation: float | None
    locality_difference: float | None


def measure_agreement(
    workspace: Workspace, entries: Sequence[ModuleEntry], most: int = _MOST_PHOTOS
) -> Steps[PartAgreement | None]:
    """Compare part histograms on held-out photos, each explained by a module of its category.

    Parameters
    ----------
    workspace : Workspace
        With photos and a part finder.
    entries : sequence of ModuleEntry
        At most one module per category.
    most : int
        Most photos to take, evenly spaced.

    Returns
    -------
    PartAgreement or None
        None if no held-out photo has a module or a map with heat.
    """
    modules = {entry.category: entry for entry in entries}
    photos = [photo for photo in workspace.held_out if photo.category in modules]
    photos = photos[:: -(-len(photos) // most) or 1]
    pairs: dict[str, list[tuple[PartHistogram, PartHistogram]]] = {}
    for done, photo in enumerate(photos, start=1):
        true = load_parts(photo)
        found = workspace.networks.find_parts(true.image)
        if found is None:
            return None
        maps = workspace.networks.explain(modules[photo.category], true.image).maps
        pair = (true.measure(maps), make_found_parts(true.image, found).measure(maps))
        pairs.setdefault(photo.category, []).append(pair)
        yield Progress("Comparing found parts with true ones", done, len(photos))
    return summarise_agreement(list(pairs.values()))


def summarise_agreement(
    pairs: Sequence[Sequence[tuple[PartHistogram, PartHistogram]]],
) -> PartAgreement | None:
    """Summarise pairs of histograms, true and found, of each module's photos."""
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
