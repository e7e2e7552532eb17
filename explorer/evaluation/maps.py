"""Where a method's maps lie: locality, heat outside the bird, the pointing game."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explorer.analysis.locality import (
    PartHistogram,
)
from explorer.analysis.pointing import compute_pointing
from explorer.data.photo import Photo
from explorer.evaluation.records import Measures
from explorer.measuring.parts import PhotoParts, load_parts
from explorer.measuring.records import LocalityMeasures
from explorer.measuring.summaries import measure_locality
from explorer.methods.base import Draw
from explorer.workspace.workspace import Workspace


@dataclass(frozen=True, eq=False)
class PhotoHeat:
    """A method's maps on one photo.

    Attributes
    ----------
    parts : PhotoParts
        The photo.
    maps : NDArray of float32
        (K, h, w), >= 0.
    histogram : PartHistogram
        Of the K maps.
    pointing : NDArray of int64
        (K,), the part in which each map is highest; -1 outside the box or where it is zero.
    """

    parts: PhotoParts
    maps: NDArray[np.float32]
    histogram: PartHistogram
    pointing: NDArray[np.int64]


def draw_heat(workspace: Workspace, draw: Draw, photo: Photo) -> PhotoHeat:
    """Draw a method's maps on one photo and find the parts that they lie on."""
    parts = load_parts(photo)
    maps = draw(workspace.networks.prepare_image(parts.image))
    labels = parts.label((maps.shape[1], maps.shape[2]))
    return PhotoHeat(parts, maps, parts.measure(maps), compute_pointing(maps, labels))


def find_drawn(heats: Sequence[PhotoHeat]) -> NDArray[np.bool_]:
    """Tell which of K maps have heat inside the box on at least one photo, (K,)."""
    every = np.ones(len(heats[0].maps), dtype=bool)
    return np.array(summarise_heat(heats, every).is_defined)


def summarise_heat(heats: Sequence[PhotoHeat], live: NDArray[np.bool_]) -> LocalityMeasures:
    """Measure locality over photos; see `explorer.measuring.summaries.measure_locality`."""
    return measure_locality([heat.histogram for heat in heats], live)


def measure_maps(
    heats: Sequence[PhotoHeat],
    live: NDArray[np.bool_],
    part_names: Sequence[str],
    telling: frozenset[str],
) -> Measures:
    """Measure maps on the test photos of a category.

    Parameters
    ----------
    heats : sequence of PhotoHeat
        One a photo.
    live : NDArray of bool
        (K,), the maps that count.
    part_names : sequence of str
        Of the P parts.
    telling : frozenset of str
        Parts that tell the category from its nearest relatives; empty where that is not known.

    Returns
    -------
    dict
        ``locality`` in nats and ``outside`` (share of heat outside the box), means over live
        maps; ``pointing_box``, the share of maxima inside the box; of these maxima,
        ``pointing_<part>``, the share in that part on photos on which it can be seen, beside
        ``area_<part>``, the part's share of the box there: what chance would give. Where telling
        parts are known, ``telling_share``, the share of the heat in the box that lies on them,
        ``pointing_telling`` and ``telling_area``. None where not defined.

    Notes
    -----
    The pointing game of Zhang et al. (2016), section 4.1, with the cell of the Voronoi partition
    in the place of an object's box, and without a margin.
    """
    summary = summarise_heat(heats, live)
    counted = np.array(summary.is_defined) & live
    measures: Measures = {
        "live_x_features": float(live.sum()),
        "photos": float(len(heats)),
        "locality": summary.mean_locality,
        "outside": _mean(np.array(summary.outside)[counted]),
        "pointing_box": _mean(np.stack([heat.pointing[counted] >= 0 for heat in heats])),
    }
    areas = np.stack([heat.parts.compute_areas() for heat in heats])
    for index, name in enumerate(part_names):
        seen = [heat for heat in heats if heat.parts.visible[index]]
        key = name.replace(" ", "_")
        measures[f"pointing_{key}"] = _mean_pointing(seen, counted, {index})
        measures[f"area_{key}"] = _mean(areas[[heat.parts.visible[index] for heat in heats], index])
    if telling:
        wanted = [index for index, name in enumerate(part_names) if name in telling]
        measures["telling_share"] = _mean(
            np.array(summary.histogram)[counted][:, wanted].sum(axis=1)
        )
        measures["telling_area"] = _mean(areas[:, wanted].sum(axis=1))
        measures["pointing_telling"] = _mean_pointing(heats, counted, set(wanted))
    return measures


def _mean_pointing(
    heats: Sequence[PhotoHeat], counted: NDArray[np.bool_], wanted: set[int]
) -> float | None:
    """Return the share of maxima inside the box that lie in one of the `wanted` parts."""
    points = [int(part) for heat in heats for part in heat.pointing[counted] if part >= 0]
    return _mean(np.isin(points, list(wanted)))


def _mean(values: NDArray[np.floating] | NDArray[np.bool_]) -> float | None:
    return float(values.mean()) if values.size else None
